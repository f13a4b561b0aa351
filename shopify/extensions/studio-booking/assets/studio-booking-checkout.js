/** What follows a choice: hold it, count down, then the cart, the credits, or another time. */

import { Cart, newKey } from './studio-booking-client.js';
import { Countdown, Keep, isLive } from './studio-booking-hold.js';
import { Panel } from './studio-booking-panel.js';

const NOT_BOOKABLE = ['outside_hours', 'outside_horizon', 'too_soon', 'invalid', 'not_found'];
const LOGIN = ['unauthenticated', 'forbidden'];

export class Checkout {
  constructor(host) {
    this.host = host;
    this.format = host.format;
    this.client = host.client;
    this.cart = new Cart(host.dataset.root);
    this.keep = new Keep(host.dataset.proxy);
    this.panel = new Panel(host, this.format);
    this.clock = new Countdown({
      tick: (seconds, share) => this.panel.tick(seconds, share),
      speak: (seconds) => seconds && host.speak(this.format.text('held.left', { time: this.format.left(seconds) })),
      end: () => this.#expire(),
    });
  }

  /** The work behind a button of the panel or the strip. */
  act(action) {
    return {
      open: () => this.panel.open(),
      close: () => this.panel.close(),
      cart: () => this.#toCart(),
      credits: () => this.#payWithCredits({ session: this.held.session, key: newKey() }),
      change: () => this.#change(),
      retry: () => this.panel.retry?.(),
    }[action]();
  }

  stop() {
    this.clock.stop();
  }

  /** Hold a session; the same attempt, repeated, is the same hold. */
  async hold(attempt) {
    const { session, key } = attempt;
    if (session.start === this.held?.session.start) return this.panel.open();
    const index = this.host.slotIndex(session.start);
    try {
      this.panel.notice('');
      // One session at a time: the time held before may be the very one that is in the way.
      if (this.held) await this.#letGo();
      const { hold, expires_at, cart, booking } = await this.client.hold(session.body, key);
      this.#take({ hold, expires_at, cart, session: this.#named(session, booking) });
      this.panel.open();
      const time = this.format.left(this.clock.total);
      this.host.speak(this.format.text('held.announce', { time }));
    } catch (problem) {
      await this.#refused(problem, () => this.hold(attempt), index);
    }
    return undefined;
  }

  /** After a reload: show the hold again if the studio still has it. */
  async restore() {
    const held = this.keep.read();
    if (!held) return;
    try {
      const state = await this.client.held(held.hold, this.host.life.signal);
      if (!isLive(state)) return this.#forget();
      const isInCart = held.isInCart && (await this.cart.has(held.hold).catch(() => true));
      this.#take({ ...held, expires_at: state.expires_at, cart: state.cart ?? held.cart, isInCart });
    } catch (problem) {
      if (problem.status >= 400 && problem.status < 500) this.#forget();
    }
  }

  /** Who "any coach" turned out to be, once the studio says. */
  #named(session, booking) {
    return session.coach && booking?.coach ? { ...session, coach: this.host.coachName(booking.coach) } : session;
  }

  #take(held) {
    this.held = held;
    this.keep.write(held);
    this.#showHeld();
    this.host.mark(held.session.start);
    this.clock.start(held.expires_at, this.client.skew);
  }

  #showHeld() {
    const withCredits = 'customer' in this.host.dataset;
    this.panel.held(this.held, { withCredits, isInCart: Boolean(this.held.isInCart) });
  }

  async #refused({ status, code }, retry, index) {
    const say = (name, ...rest) => this.panel.notice(this.format.text(`error.${name}`), ...rest);
    if (!status || status >= 500) return say('network', retry);
    const kind = NOT_BOOKABLE.includes(code) ? 'not_bookable' : LOGIN.includes(code) ? 'login' : code;
    say(this.format.text(`error.${kind}`) ? kind : 'generic');
    if (status === 429) return undefined;
    await this.host.load();
    if (!this.panel.isOpen) this.host.focusSlot(index);
    return undefined;
  }

  /** Forget the hold and give it back; if the studio cannot be told, it runs out by itself. */
  async #letGo() {
    const { hold, isInCart } = this.held;
    this.#forget();
    await Promise.allSettled([this.client.release(hold), isInCart && this.cart.remove(hold)]);
  }

  #forget() {
    this.clock.stop();
    this.held = null;
    this.keep.write(null);
    this.host.mark(null);
  }

  async #change() {
    const { start } = this.held.session;
    await this.#letGo();
    this.panel.nothing();
    await this.host.load();
    this.host.focusSlot(this.host.slotIndex(start));
  }

  async #expire() {
    const done = this.#letGo();
    this.panel.expired();
    await done;
    await this.host.load();
  }

  async #toCart() {
    const { held } = this;
    // It may have run out between the refusal and the next try.
    if (!held) return;
    try {
      if (!held.isInCart) await this.cart.add(this.#items(held));
      held.isInCart = true;
      if (this.held === held) this.keep.write(held);
      location.assign(this.cart.url);
    } catch {
      this.panel.notice(this.format.text('error.cart'), () => this.#toCart());
    }
  }

  /** The lines of the cart, with words for the reader beside the hold's id. */
  #items({ hold, cart, missing, session }) {
    const readable = { [this.format.text('cart.session')]: this.format.when(session.start, session.end) };
    if (session.simulators > 1) readable[this.format.text('cart.simulators')] = String(session.simulators);
    if (session.coach) readable[this.format.text('cart.coach')] = session.coach;
    return (missing ?? cart).lines.map(({ variant_id, quantity, properties }) => (
      { id: variant_id, quantity, properties: { _hold: hold, ...properties, ...readable } }));
  }

  /** Book first and release after: a refusal for lack of credits then leaves the hold as it was. */
  async #payWithCredits({ session, key }) {
    const again = () => this.#payWithCredits({ session, key });
    try {
      this.panel.notice('');
      await this.#booked(await this.client.book(session.body, key));
    } catch (problem) {
      if (problem.code === 'not_enough_credits' && this.held) return this.#offerMissing(problem);
      if (problem.code !== 'slot_taken') return this.#refused(problem, again);
      if (!this.held) return this.#lost(problem);
      // What stands in the way may be our own hold.
      await this.#letGo();
      return this.#payWithCredits({ session, key: newKey() });
    }
    return undefined;
  }

  #lost(problem) {
    this.panel.nothing();
    return this.#refused(problem);
  }

  async #booked(booking) {
    const done = this.held && this.#letGo();
    this.panel.booked(booking, this.client.calendarUrl(booking.id));
    await done;
    await Promise.all([this.host.load(), this.host.showCredits()]);
  }

  #offerMissing({ cart }) {
    if (cart?.lines?.length) this.held.missing = cart;
    this.#showHeld();
    this.panel.notice(this.format.text('error.not_enough_credits'));
  }
}
