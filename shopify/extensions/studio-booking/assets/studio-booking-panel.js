/** The dialog of a held session and the strip that stands for it while the dialog is shut. */

import { el } from './studio-booking-view.js';

const CLEAR = 'rgba(0, 0, 0, 0)';

/** The first painted background behind a node: the dialog floats, yet should look part of the page. */
function surfaceBehind(node) {
  for (let parent = node; parent; parent = parent.parentElement) {
    const colour = getComputedStyle(parent).backgroundColor;
    if (colour !== CLEAR && colour !== 'transparent') return colour;
  }
  return null;
}

export class Panel {
  constructor(host, format) {
    this.host = host;
    this.format = format;
    this.dialog = host.querySelector('[data-panel]');
    const surface = surfaceBehind(host);
    if (surface) host.style.setProperty('--sb-surface', surface);
    this.dialog.addEventListener('close', () => this.#returnFocus());
    this.dialog.addEventListener('click', (event) => event.target === this.dialog && this.close());
  }

  get isOpen() {
    return this.dialog.open;
  }

  open() {
    this.cameFrom = document.activeElement;
    if (!this.isOpen) this.dialog.showModal();
    this.#part('[data-panel-title]').focus();
  }

  close() {
    this.dialog.close();
  }

  held(held, { withCredits, isInCart }) {
    this.#state('held', 'panel.title', isInCart ? 'panel.lead_cart' : 'panel.lead');
    this.#facts(held);
    this.#part('[data-action="cart"]').textContent = this.#cartLabel(held, isInCart);
    this.#part('[data-action="credits"]').hidden = !withCredits || isInCart;
    this.#strip(held, isInCart);
  }

  expired() {
    this.#state('expired', 'expired.title', 'expired.lead');
    this.#done('panel.done');
    this.#strip(null);
    const sentence = `${this.format.text('expired.title')}. ${this.format.text('expired.lead')}`;
    if (this.isOpen) this.host.speak(sentence);
    else this.notice(sentence);
  }

  booked(booking, calendarUrl) {
    this.#state('booked', 'booked.title', 'booked.lead', { code: booking.code });
    this.#part('[data-calendar]').href = calendarUrl;
    this.#done('booked.done');
    this.#strip(null);
    this.host.speak(this.format.text('booked.title'));
  }

  /** Nothing is held any more. */
  nothing() {
    this.notice('');
    this.#strip(null);
    this.close();
  }

  tick(seconds, share) {
    for (const clock of this.host.querySelectorAll('[data-clock]')) {
      clock.textContent = this.format.countdown(seconds);
      clock.toggleAttribute('data-late', seconds <= 60);
    }
    this.#part('[data-meter]').style.transform = `scaleX(${share})`;
  }

  /** Say what went wrong beside the buttons, or in the strip when the dialog is shut. */
  notice(sentence, retry) {
    const boxes = { open: this.#part('[data-panel-notice]'), shut: this.#part('[data-notice]') };
    const box = this.isOpen ? boxes.open : boxes.shut;
    for (const other of Object.values(boxes)) other.replaceChildren();
    this.retry = retry;
    if (!sentence) return;
    box.append(el('p', {}, sentence));
    if (!retry) return;
    const label = this.format.text('error.retry');
    box.append(el('button', { type: 'button', class: 'sb-button', 'data-action': 'retry' }, label));
  }

  #state(name, title, lead, values) {
    for (const part of this.dialog.querySelectorAll('[data-show]')) {
      part.hidden = !part.dataset.show.split(' ').includes(name);
    }
    this.#part('[data-panel-title]').textContent = this.format.text(title);
    this.#part('[data-panel-lead]').textContent = this.format.text(lead, values);
    this.notice('');
  }

  #facts({ session, cart }) {
    const facts = {
      length: this.format.duration(session.minutes),
      simulators: String(session.simulators),
      coach: session.coach
        ? this.format.text('panel.coach_for', { coach: session.coach, time: this.format.duration(session.coaching) })
        : this.format.text('coach.nobody'),
      where: session.location,
      total: this.format.total(cart.total_minor, cart.currency),
    };
    const lines = [this.format.day(session.start.slice(0, 10)), this.format.range(session.start, session.end)];
    this.#part('[data-fact="when"]').replaceChildren(...lines.map((line) => el('span', {}, line)));
    for (const [name, value] of Object.entries(facts)) this.#part(`[data-fact="${name}"]`).textContent = value;
  }

  #cartLabel({ cart, missing }, isInCart) {
    if (isInCart) return this.format.text('panel.to_cart');
    if (!missing) return this.format.text('panel.add');
    const price = this.format.total(missing.total_minor, missing.currency ?? cart.currency);
    return this.format.text('panel.add_missing', { price });
  }

  #done(key) {
    this.#part('.sb-panel__actions [data-action="close"]').textContent = this.format.text(key);
  }

  #strip(held, isInCart) {
    this.#part('[data-held]').hidden = !held;
    this.#part('[data-hint]').hidden = Boolean(held);
    this.#part('[data-strip]').toggleAttribute('data-floating', Boolean(held));
    if (!held) return;
    const when = this.format.when(held.session.start, held.session.end);
    this.#part('[data-held-text]').textContent = this.format.text(isInCart ? 'held.in_cart' : 'held.text', { when });
  }

  #returnFocus() {
    // The times may have been drawn anew behind the dialog.
    if (this.cameFrom?.isConnected) this.cameFrom.focus();
    else this.host.focusSlot(this.host.slotIndex(this.cameFrom?.dataset.start));
  }

  #part(selector) {
    return this.host.querySelector(selector);
  }
}
