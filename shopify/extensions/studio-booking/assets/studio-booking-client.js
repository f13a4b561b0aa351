/** What is asked of the studio, through the shop's app proxy, and of the shop's cart. */

const PATIENCE_MS = 20000;
const ROUNDING_MS = 5000;

/** A refusal with its code, or `network` where no usable answer came at all. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? '');
    this.status = status;
    this.code = body?.code ?? (status >= 400 && status < 500 ? 'generic' : 'network');
    this.cart = body?.cart;
  }
}

// randomUUID is missing on plain http.
export const newKey = () =>
  crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join('-');

async function send(url, { method = 'GET', body, key, signal } = {}) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  signal?.addEventListener('abort', () => stop.abort());
  const headers = { Accept: 'application/json' };
  if (body) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;
  try {
    const response = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal: stop.signal });
    return { answer: await read(response), date: response.headers.get('Date') };
  } catch (error) {
    if (error instanceof Problem || signal?.aborted) throw error;
    throw new Problem(0);
  } finally {
    clearTimeout(timer);
  }
}

async function read(response) {
  const isJson = /json/.test(response.headers.get('Content-Type'));
  const body = isJson && response.status !== 204 ? await response.json() : null;
  if (!response.ok) throw new Problem(response.status, body);
  // A proxy that answers with a page (a password page, say) has not answered.
  if (!body && response.status !== 204) throw new Problem(0);
  return body;
}

export class Client {
  constructor(base) {
    this.base = base.replace(/\/+$/, '');
    this.skew = 0;
  }

  catalog = (signal) => this.#ask('catalog', { signal });
  availability = (query, signal) => this.#ask(`availability?${new URLSearchParams(query)}`, { signal });
  credits = (signal) => this.#ask('credits', { signal });
  hold = (body, key) => this.#ask('holds', { method: 'POST', body, key });
  held = (hold, signal) => this.#ask(`holds/${encodeURIComponent(hold)}`, { signal });
  release = (hold) => this.#ask(`holds/${encodeURIComponent(hold)}`, { method: 'DELETE' });
  book = (body, key) => this.#ask('bookings', { method: 'POST', body, key });
  calendarUrl = (id) => `${this.base}/bookings/${encodeURIComponent(id)}.ics`;

  async #ask(path, options) {
    const { answer, date } = await send(`${this.base}/${path}`, options);
    // A visitor's clock may be minutes off; the countdown follows the server's, which is told in whole seconds.
    const skew = date ? Date.parse(date) - Date.now() : 0;
    this.skew = Math.abs(skew) < ROUNDING_MS ? 0 : skew;
    return answer;
  }
}

export class Cart {
  constructor(root) {
    this.root = root.replace(/\/*$/, '/');
    this.url = `${this.root}cart`;
  }

  add(items) {
    return send(`${this.root}cart/add.js`, { method: 'POST', body: { items } });
  }

  /** Take the lines of a hold that is given back out of the cart. */
  async remove(hold) {
    const lines = await this.#linesOf(hold);
    if (!lines.length) return;
    const updates = Object.fromEntries(lines.map((line) => [line.key, 0]));
    await send(`${this.root}cart/update.js`, { method: 'POST', body: { updates } });
  }

  async has(hold) {
    return (await this.#linesOf(hold)).length > 0;
  }

  async #linesOf(hold) {
    const { answer } = await send(`${this.root}cart.js`);
    return answer.items.filter((line) => line.properties?._hold === hold);
  }
}
