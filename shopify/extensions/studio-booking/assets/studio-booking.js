/** <studio-booking>: choose a session, hold it, then take it to the cart or pay with credits. */

import { Times } from './studio-booking-times.js';
import { Words, addDays, minutesOf, newKey, send, stored } from './studio-booking-tools.js';

const SPOKEN_SECONDS = [300, 60];
const EVENTS = ['change', 'click', 'close', 'focusin', 'keydown'];

class StudioBooking extends Times {
  connectedCallback() {
    this.words = new Words(this.dataset.locale, JSON.parse(this.find('[data-texts]').textContent));
    this.panel = this.find('dialog');
    for (const type of EVENTS) this.addEventListener(type, this, true);
    addEventListener('pageshow', this);
    this.#start();
  }

  disconnectedCallback() {
    removeEventListener('pageshow', this);
    clearInterval(this.timer);
  }

  handleEvent(event) {
    const { type, target } = event;
    if (type === 'change') this.choose(target);
    if (type === 'click') this.#press(target);
    if (type === 'focusin') this.rove(target);
    if (type === 'keydown') this.arrow(event);
    if (type === 'close') this.#returnFocus(document.activeElement);
    // A page brought back by the back button has missed what happened in the cart.
    if (type === 'pageshow' && event.persisted) this.#restore();
  }

  /** The browser does it, unless what had the focus before the panel was drawn anew meanwhile. */
  #returnFocus(now) {
    if (now === document.body || this.panel.contains(now)) this.focusSlot();
  }

  async #start() {
    try {
      this.catalog = await this.ask('catalog');
      this.service = this.catalog.services.find(({ handle }) => handle === this.dataset.service);
      this.options();
      this.from = this.words.today();
      this.fill({ hint: this.words.text('hint', { time: this.words.duration(this.catalog.policy.hold_minutes) }) });
    } catch {
      return this.timesFailed(() => this.#start());
    }
    await Promise.all([this.load(), this.#showCredits()]);
    return this.#restore();
  }

  #press(target) {
    const button = target.closest('button');
    const { date, page, start, action } = button?.dataset ?? {};
    if (date) this.chooseDay(date);
    if (page) this.turnPage(page);
    if (start) this.#once(button, () => this.#hold(this.#body(start)));
    if (action === 'open') this.panel.showModal();
    else if (action === 'close' || target === this.panel) this.panel.close();
    else if (action) this.#once(button, this.#work()[action]);
  }

  #work() {
    return {
      cart: () => this.#toCart(),
      credits: () => this.#payWithCredits(),
      change: () => this.#change(),
      retry: this.retry,
    };
  }

  /** One thing at a time: a second press while the first is under way does nothing. */
  async #once(button, work) {
    if (this.isBusy) return;
    this.isBusy = true;
    button.ariaBusy = true;
    this.say('');
    try {
      await work();
    } finally {
      button.ariaBusy = null;
      this.isBusy = false;
    }
  }

  /* The hold */

  #body(start) {
    const { location, minutes, simulators, coach, coaching } = this.choice;
    const body = { service: this.service.handle, location, start, minutes: +minutes, simulators: +simulators };
    if (coach) body.coaching = { coach, minutes: +coaching };
    return body;
  }

  /** Hold a session; the same attempt, repeated, is the same hold. */
  async #hold(body, key = newKey()) {
    this.start = body.start;
    if (body.start === this.held?.booking.start) return this.panel.showModal();
    // One session at a time: the one held before may be the very one that is in the way.
    await this.#release();
    try {
      this.#take(await this.ask('holds', 'POST', body, key));
      return this.panel.showModal();
    } catch (problem) {
      return this.#refused(problem, () => this.#hold(body, key));
    }
  }

  /** After a reload: show the hold if the studio still has it. */
  async #restore() {
    const hold = stored();
    if (!hold) return;
    try {
      const held = await this.ask(`holds/${hold}`);
      const lines = await this.#cartLines(hold);
      if (held.status === 'active') return this.#take(held, lines.length ? 'cart' : 'held');
    } catch ({ message }) {
      if (message === 'network') return;
    }
    this.#take(null);
    this.panel.close();
  }

  #take(held, state = held ? 'held' : 'free') {
    clearInterval(this.timer);
    this.held = held;
    stored(held?.hold ?? '');
    this.show(state);
    this.render();
    if (!held) return;
    const { words } = this;
    const { coach, coaching, location, simulators } = held.booking;
    const time = coaching && words.duration(minutesOf(coaching));
    this.fill({
      when: words.session(held.booking),
      simulators: simulators.length,
      coach: coach && words.text('panel.coach_for', { coach: this.coachName(coach), time }),
      where: this.locationOf(location).name,
      total: words.total(held.cart.total_minor),
    });
    this.timer = setInterval(() => this.#tick(), 1000);
    this.#tick();
  }

  #tick() {
    const seconds = Math.max(0, Math.ceil((Date.parse(this.held.expires_at) - Date.now()) / 1000));
    const minutes = seconds / 60;
    this.fill({ clock: `${Math.floor(minutes)}:${String(seconds % 60).padStart(2, '0')}` });
    this.style.setProperty('--sb-left', minutes / this.catalog.policy.hold_minutes);
    if (SPOKEN_SECONDS.includes(seconds)) {
      this.fill({ left: this.words.text('held.left', { time: this.words.duration(minutes) }) });
    }
    if (!seconds) this.#expire();
  }

  async #expire() {
    const done = this.#release();
    this.show('expired');
    this.say('hold_expired');
    await done;
    await this.load();
  }

  /** Give the hold back, out of the cart too; if the studio cannot be told, it runs out by itself. */
  async #release() {
    const hold = this.held?.hold;
    if (!hold) return;
    this.#take(null);
    await Promise.allSettled([this.ask(`holds/${hold}`, 'DELETE'), this.#leaveCart(hold)]);
  }

  async #change() {
    const { start } = this.held.booking;
    await this.#release();
    this.panel.close();
    await this.load();
    this.focusSlot(start);
  }

  async #refused({ message: code, cause }, retry) {
    if (code === 'network') return this.say(code, retry);
    if (code === 'hold_expired') return this.#expire();
    if (!this.held) this.panel.close();
    if (code === 'not_enough_credits' && this.held && cause.cart) {
      this.held.cart = cause.cart;
      this.#take(this.held, 'short');
      return this.say(code);
    }
    this.say(code);
    await this.load();
    if (!this.panel.open) this.focusSlot();
    return undefined;
  }

  /* The cart and the credits */

  async #toCart() {
    const { words } = this;
    const { hold, cart, booking } = this.held;
    const { coach, simulators } = booking;
    const readable = { [words.text('cart.session')]: words.session(booking) };
    if (simulators.length > 1) readable[words.text('cart.simulators')] = String(simulators.length);
    if (coach) readable[words.text('cart.coach')] = this.coachName(coach);
    const items = cart.lines.map(({ variant_id: id, quantity, properties }) => (
      { id, quantity, properties: { ...properties, _hold: hold, ...readable } }));
    try {
      await send(`${this.dataset.cart}/add.js`, 'POST', { items });
      this.show('cart');
      location.assign(this.dataset.cart);
    } catch {
      this.say('cart', () => this.#toCart());
    }
  }

  async #cartLines(hold) {
    const { items } = await send(`${this.dataset.cart}.js`);
    return items.filter(({ properties }) => properties?._hold === hold);
  }

  async #leaveCart(hold) {
    const lines = await this.#cartLines(hold);
    const updates = Object.fromEntries(lines.map(({ key }) => [key, 0]));
    if (lines.length) await send(`${this.dataset.cart}/update.js`, 'POST', { updates });
  }

  #creditsBody({ service, location, start, end, simulators, coach, coaching }) {
    const body = { service, location, start, minutes: minutesOf({ start, end }), simulators: simulators.length };
    return coach ? { ...body, coaching: { coach, minutes: minutesOf(coaching) } } : body;
  }

  /** Book first and release after: a refusal for lack of credits then leaves the hold as it was. */
  async #payWithCredits(body = this.#creditsBody(this.held.booking), key = newKey()) {
    try {
      await this.#booked(await this.ask('bookings', 'POST', body, key));
    } catch (problem) {
      const again = () => this.#payWithCredits(body, key);
      if (problem.message !== 'slot_taken' || !this.held) return this.#refused(problem, again);
      // What stands in the way may be our own hold.
      await this.#release();
      await this.#payWithCredits(body);
    }
  }

  async #booked({ code, id }) {
    const done = this.#release();
    this.show('booked');
    this.fill({ code });
    this.find('[data-calendar]').href = `${this.dataset.proxy}bookings/${id}.ics`;
    await done;
    await Promise.all([this.load(), this.#showCredits()]);
  }

  async #showCredits() {
    const box = this.find('[data-credits]');
    if (!box) return;
    try {
      const { simulator_minutes: time, coaching_sessions: sessions } = await this.ask('credits');
      this.fill({
        credits: this.words.text('credits.value', {
          time: this.words.duration(time.available),
          sessions: this.words.count('credits.sessions', sessions.available),
        }),
      });
    } catch {
      box.hidden = true;
    }
  }
}

if (!customElements.get('studio-booking')) customElements.define('studio-booking', StudioBooking);
