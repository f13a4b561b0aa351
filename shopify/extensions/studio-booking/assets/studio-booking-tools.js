/** Words, times and money in the language of the page; requests to the studio and the cart. */

const DAY = 864e5;
const MINUTE = 6e4;
const PATIENCE = 2e4;
const CLOCK = { hour: 'numeric', minute: '2-digit' };

export const addDays = (date, count) => new Date(Date.parse(date) + count * DAY).toISOString().slice(0, 10);
export const minutesOf = ({ start, end }) => (Date.parse(end) - Date.parse(start)) / MINUTE;

// randomUUID is missing on plain http.
export const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join('-');

/** The hold of this tab; a browser that refuses storage only loses the reload. */
export function stored(...hold) {
  try {
    if (hold.length) [sessionStorage.studioBooking] = hold;
    return sessionStorage.studioBooking;
  } catch {
    return '';
  }
}

/** Ask, and fail with a problem's code, or with `network` where no usable answer came at all. */
export async function send(url, method, body, key) {
  const headers = { Accept: 'application/json', 'Content-Type': 'application/json' };
  if (key) headers['Idempotency-Key'] = key;
  let response, answer;
  try {
    response = await fetch(url, { method, headers, body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) });
    // A page in the place of an answer, such as a password page, is no JSON and fails here.
    answer = response.status === 204 ? {} : await response.json();
  } catch {
    throw new Error('network');
  }
  if (response.ok) return answer;
  throw new Error(response.status < 500 ? answer.code : 'network', { cause: answer });
}

export class Words {
  constructor(locale, texts) {
    this.locale = locale;
    this.texts = texts;
    this.plurals = new Intl.PluralRules(locale);
  }

  /** Settle on the studio's zone and currency: the browser's own never count. */
  settle(zone, currency) {
    this.zone = zone;
    this.currency = currency;
    this.clock = this.#dates(CLOCK);
    this.money = new Intl.NumberFormat(this.locale, {
      style: 'currency', currency, currencyDisplay: 'narrowSymbol', trailingZeroDisplay: 'stripIfInteger',
    });
  }

  text(key, values = {}) {
    return this.texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  count(key, count, values) {
    const form = `${key}_${count ? this.plurals.select(count) : 'zero'}`;
    return this.text(form in this.texts ? form : `${key}_other`, { count, ...values });
  }

  error(code) {
    return this.texts[`error.${code}`] ?? this.texts['error.generic'];
  }

  price(minor) {
    return this.money.format(minor / 10 ** this.money.resolvedOptions().maximumFractionDigits);
  }

  total(minor) {
    return `${this.price(minor)} ${this.currency}`;
  }

  duration(minutes) {
    const say = (value, unit) => value.toLocaleString(this.locale, { style: 'unit', unit });
    const hours = Math.floor(minutes / 60);
    const rest = minutes % 60;
    return [hours && say(hours, 'hour'), (rest || !hours) && say(rest, 'minute')].filter(Boolean).join(' ');
  }

  /** The date it is in the studio, wherever the visitor sits. */
  today() {
    return new Date().toLocaleDateString('sv', { timeZone: this.zone });
  }

  day(date, options = { weekday: 'long', day: 'numeric', month: 'long' }) {
    return this.#dates({ ...options, timeZone: 'UTC' }).format(new Date(date));
  }

  days(from, to) {
    return this.#dates({ day: 'numeric', month: 'short', timeZone: 'UTC' }).formatRange(new Date(from), new Date(to));
  }

  time(stamp) {
    const clock = this.#isDoubled(stamp) ? this.#dates({ ...CLOCK, timeZoneName: 'shortOffset' }) : this.clock;
    return clock.format(new Date(stamp));
  }

  /** From when until when, with offsets where the wall clock alone could be misread. */
  session({ start, end }) {
    const options = { weekday: 'short', day: 'numeric', month: 'short', ...CLOCK };
    const stamps = [start, end];
    const dates = stamps.map((stamp) => new Date(stamp));
    if (start.slice(19) === end.slice(19) && !stamps.some((stamp) => this.#isDoubled(stamp))) {
      // No line may end between the minutes and their AM or PM.
      return this.#dates(options).formatRange(...dates).replace(/(:\d\d)\s(?=\p{L})/gu, '$1\u00a0');
    }
    const marked = this.#dates({ ...options, timeZoneName: 'shortOffset' });
    return dates.map((date) => marked.format(date)).join(' – ');
  }

  zoneNote() {
    const parts = this.#dates({ timeZoneName: 'longGeneric' }).formatToParts();
    return this.text('times.zone', { zone: parts.find(({ type }) => type === 'timeZoneName').value });
  }

  /** Whether the studio's clock shows this very time twice, as on the night it is put back. */
  #isDoubled(stamp) {
    const shown = (minutes) => this.clock.format(Date.parse(stamp) + minutes * MINUTE);
    return [-60, -30, 30, 60].some((minutes) => shown(minutes) === shown(0));
  }

  #dates(options) {
    return new Intl.DateTimeFormat(this.locale, { timeZone: this.zone, ...options });
  }
}
