/** <studio-booking>: choose a session, hold it, and take it to the cart or pay with credits. */

import { Client, newKey } from './studio-booking-client.js';
import { Format, addDays } from './studio-booking-format.js';
import * as view from './studio-booking-view.js';

const WEEK = 7;
const STALE_MS = 60000;
const NO_COACH = '';
// Looking does not wait for what is under way.
const QUICK = ['open', 'close'];

class StudioBooking extends HTMLElement {
  #busy = false;

  connectedCallback() {
    this.life = new AbortController();
    this.format = new Format(this.dataset.locale, JSON.parse(this.#part('[data-texts]').textContent));
    this.client = new Client(this.dataset.proxy);
    this.#listen();
    this.#start();
  }

  disconnectedCallback() {
    this.life.abort();
    this.request?.abort();
    this.checkout?.stop();
  }

  #listen() {
    const { signal } = this.life;
    this.addEventListener('change', (event) => this.#choose(event.target), { signal });
    this.addEventListener('click', (event) => this.#press(event.target.closest('button')), { signal });
    for (const box of this.querySelectorAll('[data-days], [data-slots]')) view.arrowKeys(box, signal);
    document.addEventListener('visibilitychange', () => this.#wake(), { signal });
    // A page brought back by the back button has missed what happened in the cart.
    addEventListener('pageshow', (event) => event.persisted && this.checkout?.restore(), { signal });
  }

  async #start() {
    try {
      this.catalog = await this.client.catalog(this.life.signal);
    } catch {
      if (!this.life.signal.aborted) this.#timesFailed(() => this.#start());
      return;
    }
    this.service = this.catalog.services.find((service) => service.handle === this.dataset.service);
    if (!this.service) return this.#timesFailed(() => this.#start());
    this.#defaults();
    this.#options();
    this.#hint();
    await Promise.all([this.load(), this.showCredits()]);
    const checkout = await this.#ready().catch(() => null);
    await checkout?.restore();
  }

  /** The part that is needed only from the first press on; it comes once the times are there. */
  async #ready() {
    const { Checkout } = await import('./studio-booking-checkout.js');
    this.checkout ??= new Checkout(this);
    return this.checkout;
  }

  #defaults() {
    const { locations } = this.catalog;
    const { minutes } = this.service;
    const wanted = Number(this.dataset.minutes);
    const location = locations.find((place) => place.handle === this.dataset.location) ?? locations[0];
    this.choice = {
      location: location.handle,
      minutes: minutes.includes(wanted) ? wanted : Math.min(...minutes),
      simulators: 1,
      coach: NO_COACH,
      coaching: this.catalog.coaching?.minutes?.[0] ?? 0,
    };
    this.#settle();
    this.from = this.format.today();
    this.day = null;
  }

  /** Keep the choice within what its other parts allow. */
  #settle() {
    const { choice } = this;
    this.format.studioIn(this.#location().timezone, this.catalog.studio.currency);
    choice.simulators = Math.min(choice.simulators, this.#maxSimulators());
    if (!this.#coachingMinutes().includes(choice.coaching)) choice.coaching = this.#coachingMinutes()[0] ?? 0;
    if (!this.#coaches().some((coach) => coach.handle === choice.coach) && choice.coach !== 'any') choice.coach = NO_COACH;
  }

  #location() {
    return this.catalog.locations.find((place) => place.handle === this.choice.location);
  }

  #maxSimulators() {
    const here = this.catalog.simulators.filter((simulator) => simulator.location === this.choice.location);
    return Math.max(1, Math.min(this.service.max_simulators, here.length));
  }

  #coaches() {
    return this.catalog.coaches.filter((coach) => coach.locations.includes(this.choice.location));
  }

  #coachingMinutes() {
    return (this.catalog.coaching?.minutes ?? []).filter((minutes) => minutes <= this.choice.minutes);
  }

  #options() {
    const { format } = this;
    const lengths = (list) => list.map((value) => ({ value, label: format.duration(value, 'short') }));
    const coaches = this.#coaches().map(({ handle, name }) => ({ value: handle, label: name }));
    const canCoach = coaches.length && this.#coachingMinutes().length;
    this.#field('location', this.catalog.locations.map(({ handle, name }) => ({ value: handle, label: name })), {
      isShown: this.catalog.locations.length > 1 && !this.dataset.location,
    });
    this.#field('minutes', lengths(this.service.minutes));
    this.#field('simulators', Array.from({ length: this.#maxSimulators() }, (_, at) => ({ value: at + 1, label: at + 1 })));
    this.#field('coach', [
      { value: NO_COACH, label: format.text('coach.none') },
      ...(coaches.length > 1 ? [{ value: 'any', label: format.text('coach.any') }] : []),
      ...coaches,
    ], { isShown: canCoach });
    this.#field('coaching', lengths(this.#coachingMinutes()), { isShown: canCoach && this.choice.coach !== NO_COACH });
  }

  #field(name, options, { isShown = true } = {}) {
    const field = this.#part(`[data-field="${name}"]`);
    if (!field) return;
    field.hidden = !isShown;
    view.choices(field.querySelector('.sb-choices'), `${this.id}-${name}`, options, this.choice[name]);
  }

  #choose(input) {
    const name = input.closest('[data-field]')?.dataset.field;
    if (!name) return;
    this.choice[name] = typeof this.choice[name] === 'number' ? Number(input.value) : input.value;
    this.#settle();
    this.#options();
    this.#part(`[data-field="${name}"] input:checked`).focus();
    this.load();
  }

  #hint() {
    const time = this.format.duration(this.catalog.policy.hold_minutes);
    this.#part('[data-hint]').textContent = this.format.text('hint', { time });
    this.#part('[data-zone]').textContent = this.format.zoneNote();
  }

  #query() {
    const { location, minutes, simulators, coach, coaching } = this.choice;
    const query = { service: this.service.handle, from: this.from, days: this.#dates().length, minutes, simulators, location };
    return coach === NO_COACH ? query : { ...query, coach, coaching };
  }

  #lastDate() {
    return addDays(this.format.today(), this.catalog.policy.horizon_days);
  }

  #dates() {
    const dates = Array.from({ length: WEEK }, (_, index) => addDays(this.from, index));
    return dates.filter((date) => date <= this.#lastDate());
  }

  /** Ask for the shown days; a newer question makes the older answer worthless. */
  async load() {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.#part('[data-slots]').setAttribute('aria-busy', 'true');
    try {
      const answer = await this.client.availability(this.#query(), request.signal);
      if (request.signal.aborted) return;
      this.times = view.byDate(answer.slots);
      this.loadedAt = Date.now();
      this.#showTimes();
    } catch {
      if (!request.signal.aborted) this.#timesFailed(() => this.load());
    }
  }

  #showTimes() {
    const dates = this.#dates();
    const { date, start } = document.activeElement?.dataset ?? {};
    const stays = dates.includes(this.day) && (this.times.has(this.day) || this.dayWasChosen);
    if (!stays) this.day = dates.find((date) => this.times.has(date)) ?? dates[0];
    view.days(this.#part('[data-days]'), { dates, byDate: this.times, chosen: this.day, format: this.format });
    this.#part('[data-range]').textContent = this.format.days(dates[0], dates.at(-1));
    this.#part('[data-page="-7"]').disabled = this.from <= this.format.today();
    this.#part('[data-page="7"]').disabled = addDays(this.from, WEEK) > this.#lastDate();
    this.#showDay();
    if (date) this.#part('[data-days] [tabindex="0"]').focus();
    if (start) this.focusSlot(this.slotIndex(start));
  }

  #showDay() {
    const { format, day } = this;
    const box = this.#part('[data-slots]');
    const list = this.times.get(day) ?? [];
    const heldHere = this.checkout?.held?.session.start;
    box.removeAttribute('aria-busy');
    this.#part('[data-day-title]').textContent = format.day(day);
    if (list.length) view.slots(box, list, { format, names: this.#coachNames(), chosen: heldHere });
    else this.#noTimes(box);
    // The box keeps its greatest height, so that paging through days does not move the page.
    box.style.minHeight = `${Math.max(parseFloat(box.style.minHeight) || 0, box.offsetHeight)}px`;
    this.speak(format.count('times.loaded', list.length, { day: format.day(day) }));
  }

  #noTimes(box) {
    const isLast = this.#part('[data-page="7"]').disabled;
    if (this.times.size || isLast) view.message(box, this.format.text('times.empty'));
    else view.message(box, this.format.text('times.empty_week'), 'later', this.format.text('times.later'));
  }

  #coachNames() {
    if (this.choice.coach !== 'any') return null;
    return (handles) => handles.map((handle) => this.coachName(handle)).join(', ');
  }

  coachName(handle) {
    return this.catalog.coaches.find((coach) => coach.handle === handle)?.name ?? handle;
  }

  #timesFailed(retry) {
    const box = this.#part('[data-slots]');
    box.removeAttribute('aria-busy');
    this.reload = retry;
    view.message(box, this.format.text('error.times'), 'reload', this.format.text('error.retry'));
    this.speak(this.format.text('error.times'));
  }

  #page(count) {
    this.from = addDays(this.from, count);
    this.dayWasChosen = false;
    return this.load();
  }

  #wake() {
    if (document.hidden || !this.times || Date.now() - this.loadedAt < STALE_MS) return;
    if (!this.#part('[data-slots]').contains(document.activeElement)) this.load();
  }

  #press(button) {
    if (!button) return;
    const { date, start, page, action } = button.dataset;
    if (date) this.#chooseDay(date);
    else if (page) this.#page(Number(page));
    else if (start) this.#alone(button, () => this.#pick(start));
    else if (action) this.#act(button, action);
  }

  #act(button, action) {
    if (action === 'later') return this.#page(WEEK).then(() => this.focusSlot(0));
    if (action === 'reload') return this.reload();
    if (QUICK.includes(action)) return this.checkout.act(action);
    return this.#alone(button, () => this.checkout.act(action));
  }

  /** One thing at a time: a second press while the first is under way does nothing. */
  async #alone(button, work) {
    if (this.#busy) return;
    this.#busy = true;
    button.setAttribute('aria-busy', 'true');
    try {
      await work();
    } finally {
      this.#busy = false;
      button.removeAttribute('aria-busy');
    }
  }

  #chooseDay(date) {
    this.day = date;
    this.dayWasChosen = true;
    for (const day of this.querySelectorAll('[data-date]')) {
      day.setAttribute('aria-pressed', String(day.dataset.date === date));
      day.tabIndex = day.dataset.date === date ? 0 : -1;
    }
    this.#showDay();
  }

  slotIndex(start) {
    return Math.max(0, this.#slots().findIndex((slot) => slot.dataset.start === start));
  }

  /** Put the focus on a time, or where there is none, on the day. */
  focusSlot(index = 0) {
    const slots = this.#slots();
    (slots[Math.min(index, slots.length - 1)] ?? this.#part('[data-days] [tabindex="0"]'))?.focus();
  }

  mark(start) {
    for (const slot of this.#slots()) slot.setAttribute('aria-pressed', String(slot.dataset.start === start));
  }

  #slots() {
    return [...this.querySelectorAll('[data-slots] button')];
  }

  async #pick(start) {
    const attempt = { session: this.#session(start), key: newKey() };
    try {
      await (await this.#ready()).hold(attempt);
    } catch {
      this.#timesFailed(() => this.load());
    }
  }

  /** What was chosen, in the studio's words for the request and in the visitor's for the panel. */
  #session(start) {
    const { end, coaches } = this.times.get(this.day).find((slot) => slot.start === start);
    const { minutes, simulators, coach, coaching } = this.choice;
    const only = coach === 'any' && coaches.length === 1 ? coaches[0] : coach;
    const named = only === 'any' ? this.format.text('coach.any') : this.coachName(only);
    const location = this.#location().name;
    return { start, end, minutes, simulators, coaching, location, coach: only && named, body: this.#body(start) };
  }

  #body(start) {
    const { location, minutes, simulators, coach, coaching } = this.choice;
    const body = { service: this.service.handle, start, minutes, simulators };
    if (this.catalog.locations.length > 1) body.location = location;
    if (coach === 'any') body.coaching = { minutes: coaching };
    else if (coach !== NO_COACH) body.coaching = { minutes: coaching, coach };
    return body;
  }

  async showCredits() {
    const value = this.#part('[data-credits-value]');
    if (!value) return;
    try {
      value.textContent = this.#creditsText(await this.client.credits(this.life.signal));
    } catch {
      value.closest('[data-credits]').style.visibility = 'hidden';
    }
  }

  #creditsText({ simulator_minutes: simulator, coaching_sessions: coaching }) {
    const { format } = this;
    const parts = [];
    if (simulator.available) parts.push(format.text('credits.time', { time: format.duration(simulator.available, 'short') }));
    if (coaching.available) parts.push(format.count('credits.sessions', coaching.available));
    return parts.join(' · ') || format.text('credits.none');
  }

  /** Tell screen readers, in the part of the page that is not inert. */
  speak(sentence) {
    this.#part(this.checkout?.panel.isOpen ? '[data-panel-live]' : '[data-live]').textContent = sentence;
  }

  #part(selector) {
    return this.querySelector(selector);
  }
}

if (!customElements.get('studio-booking')) customElements.define('studio-booking', StudioBooking);
