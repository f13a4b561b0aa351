/** The part of <studio-booking> where one chooses: how long, with whom, on which day and at what time. */

import { addDays, send } from './studio-booking-tools.js';

const WEEK = 7;
const SCARCE = 2;

export class Times extends HTMLElement {
  choice = { simulators: '1', coach: '', minutes: this.dataset.minutes };
  slots = [];
  turn = 0;
  start = '';
  held = null;
  isLoaded = false;

  /* Options */

  options() {
    const { catalog, choice, service, words } = this;
    const named = (list) => list.map(({ handle, name }) => [handle, name]);
    const lengths = (list) => list.map((minutes) => [String(minutes), words.duration(minutes)]);
    const only = this.dataset.location;
    this.#field('location', named(catalog.locations.filter(({ handle }) => !only || handle === only)));
    words.settle(this.locationOf(choice.location).timezone, catalog.studio.currency);
    this.fill({ zone: words.zoneNote() });
    this.#field('minutes', lengths(service.minutes));
    const here = catalog.simulators.filter(({ location }) => location === choice.location).length;
    const most = Math.max(1, Math.min(service.max_simulators, here));
    this.#field('simulators', Array.from({ length: most }, (_, at) => [String(at + 1), at + 1]));
    const coaching = (catalog.coaching?.minutes ?? []).filter((minutes) => minutes <= choice.minutes);
    const coaches = catalog.coaches.filter(({ locations }) => coaching.length && locations.includes(choice.location));
    const any = coaches.length > 1 ? [['any', words.text('coach.any')]] : [];
    this.#field('coach', [['', words.text('coach.none')], ...any, ...named(coaches)]);
    this.#field('coaching', lengths(coaching), choice.coach);
  }

  /** A row of radio buttons; a choice that is not on offer becomes the first that is. */
  #field(name, options, isShown = options.length > 1) {
    const { choice } = this;
    const field = this.find(`[data-field=${name}]`);
    if (!options.some(([value]) => value === choice[name])) choice[name] = options[0]?.[0];
    if (!field) return;
    field.hidden = !isShown;
    field.lastElementChild.replaceChildren(...options.map(([value, label]) => {
      const chip = this.piece('choice', { label });
      const checked = value === choice[name];
      Object.assign(chip.firstElementChild, { name: `${this.id}-${name}`, value, checked });
      return chip;
    }));
  }

  choose({ value, parentElement }) {
    const name = parentElement.closest('[data-field]').dataset.field;
    this.choice[name] = value;
    this.options();
    this.find(`[data-field=${name}] :checked`).focus();
    this.say('');
    this.load();
  }

  chooseDay(date) {
    this.day = date;
    if (this.isLoaded) this.render();
    else this.load();
  }

  turnPage(days) {
    this.from = addDays(this.from, days);
    this.say('');
    this.load();
  }

  locationOf(wanted) {
    return this.catalog.locations.find(({ handle }) => handle === wanted);
  }

  coachName(wanted) {
    return this.catalog.coaches.find(({ handle }) => handle === wanted)?.name ?? wanted;
  }

  /* Days and times */

  #lastDay() {
    return addDays(this.words.today(), this.catalog.policy.horizon_days);
  }

  #dates() {
    return Array.from({ length: WEEK }, (_, at) => addDays(this.from, at)).filter((date) => date <= this.#lastDay());
  }

  #slotsOn(date) {
    return this.slots.filter(({ start }) => start.startsWith(date));
  }

  async load() {
    this.turn += 1;
    const { turn } = this;
    const { coach, coaching, ...session } = this.choice;
    const query = { service: this.service.handle, from: this.from, days: this.#dates().length, ...session };
    if (coach) Object.assign(query, { coach, coaching });
    const box = this.find('[data-slots]');
    box.ariaBusy = true;
    this.isLoaded = false;
    try {
      const { slots } = await this.ask(`availability?${new URLSearchParams(query)}`);
      // A newer question makes this answer worthless.
      if (turn !== this.turn) return;
      this.slots = slots;
      this.isLoaded = true;
      box.ariaBusy = null;
      this.render();
      const day = this.words.day(this.day);
      this.fill({ loaded: this.words.count('times.loaded', this.#slotsOn(this.day).length, { day }) });
    } catch {
      if (turn === this.turn) this.timesFailed(() => this.load());
    }
  }

  timesFailed(retry) {
    this.find('[data-slots]').ariaBusy = null;
    for (const part of this.all('[data-hours]')) part.hidden = true;
    this.say('times', retry);
  }

  render() {
    const { words } = this;
    const dates = this.#dates();
    const { date, start } = document.activeElement.dataset;
    if (!dates.includes(this.day)) this.day = dates.find((each) => this.#slotsOn(each).length) ?? dates[0];
    this.find('[data-days]').replaceChildren(...dates.map((each) => this.#dayButton(each)));
    this.find('[data-page="-7"]').disabled = this.from <= words.today();
    this.find('[data-page="7"]').disabled = addDays(this.from, WEEK) > this.#lastDay();
    this.#renderSlots();
    this.fill({ range: words.days(dates[0], dates.at(-1)), day: words.day(this.day) });
    // The buttons are new ones: give the focus to the heir of the one that had it.
    if (date) this.find('[data-date][tabindex="0"]').focus();
    if (start) this.focusSlot(start);
  }

  #dayButton(date) {
    const { words } = this;
    const free = this.#slotsOn(date).length;
    const button = this.piece('day', {
      weekday: words.day(date, { weekday: 'short' }),
      number: words.day(date, { day: 'numeric' }),
      free: words.count('days.free', free),
    });
    button.dataset.date = date;
    button.toggleAttribute('data-full', !free);
    button.ariaLabel = words.count('days.label', free, { day: words.day(date) });
    button.ariaPressed = date === this.day;
    button.tabIndex = date === this.day ? 0 : -1;
    return button;
  }

  #renderSlots() {
    const slots = this.#slotsOn(this.day);
    for (const part of this.all('[data-hours]')) {
      const [from, until] = part.dataset.hours.split(' ').map(Number);
      const members = slots.filter(({ start }) => start.slice(11, 13) >= from && start.slice(11, 13) < until);
      part.hidden = !members.length;
      part.lastElementChild.replaceChildren(...members.map((slot) => this.#slotButton(slot)));
    }
    const buttons = this.all('[data-start]');
    const first = buttons.find((button) => button.ariaPressed === 'true') ?? buttons[0];
    if (first) first.tabIndex = 0;
    this.find('[data-empty]').hidden = Boolean(first);
  }

  #slotButton({ start, price_minor, coaches, simulators }) {
    const { words } = this;
    const few = simulators > SCARCE ? '' : words.count('times.left', simulators);
    const who = coaches.map((coach) => this.coachName(coach)).join(', ');
    const more = this.choice.coach === 'any' ? who : few;
    const button = this.piece('slot', { time: words.time(start), price: words.price(price_minor), more });
    button.dataset.start = start;
    button.ariaPressed = start === this.held?.booking.start;
    return button;
  }

  /** Put the focus on a time of the shown day or the next one after it, else on the day. */
  focusSlot(wanted = this.start) {
    const buttons = wanted.startsWith(this.day) ? this.all('[data-start]') : [];
    const next = buttons.find(({ dataset }) => dataset.start >= wanted) ?? buttons.at(-1);
    (next ?? this.find('[data-date][tabindex="0"]')).focus();
  }

  /* Keys */

  arrow(event) {
    const { key, target } = event;
    const { offsetTop: top, offsetLeft: left } = target;
    const buttons = [...(target.closest('[data-days], [data-slots]')?.querySelectorAll('button') ?? [])];
    const at = buttons.indexOf(target);
    const forward = getComputedStyle(this).direction === 'rtl' ? -1 : 1;
    const ways = {
      ArrowRight: buttons[at + forward],
      ArrowLeft: buttons[at - forward],
      ArrowDown: buttons.find((one) => one.offsetTop > top && one.offsetLeft >= left),
      ArrowUp: buttons.findLast((one) => one.offsetTop < top && one.offsetLeft <= left),
      Home: buttons[0],
      End: buttons.at(-1),
    };
    if (at < 0 || event.altKey || !(key in ways)) return;
    event.preventDefault();
    ways[key]?.focus();
  }

  /** Of each group, only the button that had the focus last is in the tab order. */
  rove(target) {
    if (!target.matches('[data-date], [data-start]')) return;
    const group = target.closest('[data-days], [data-slots]');
    for (const button of group.querySelectorAll('[tabindex="0"]')) button.tabIndex = -1;
    target.tabIndex = 0;
  }

  /* What is shown and said */

  /** Show the parts of the block that belong to a state. */
  show(state) {
    for (const part of this.all('[data-show]')) part.hidden = !part.dataset.show.split(' ').includes(state);
    if (this.panel.open) this.find('[data-title]').focus();
  }

  /** Say what went wrong, in the panel while it is open, and offer to try again where that may help. */
  say(code, retry) {
    this.retry = retry;
    for (const box of this.all('[data-notice]')) {
      box.hidden = !code || this.panel.contains(box) !== this.panel.open;
      box.firstElementChild.textContent = box.hidden ? '' : this.words.error(code);
      box.lastElementChild.hidden = !retry;
    }
  }

  /** A copy of a piece of markup, its blanks filled in. */
  piece(name, texts) {
    const piece = this.find(`[data-piece=${name}]`).content.firstElementChild.cloneNode(true);
    this.fill(texts, piece);
    return piece;
  }

  /** Fill in the blanks; data only ever becomes text. */
  fill(texts, root = this) {
    for (const [name, text] of Object.entries(texts)) {
      for (const blank of root.querySelectorAll(`[data-text=${name}]`)) blank.textContent = text;
    }
  }

  ask(path, ...rest) {
    return send(this.dataset.proxy + path, ...rest);
  }

  find(selector) {
    return this.querySelector(selector);
  }

  all(selector) {
    return [...this.querySelectorAll(selector)];
  }
}
