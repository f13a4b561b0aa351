/** Builds what the component shows. Data only ever becomes text nodes and attributes. */

import { dateOf, partOfDay } from './studio-booking-format.js';

const SCARCE = 2;

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child || child === 0));
  return node;
}

/** A row of radio buttons that look like chips; the browser brings the keyboard. */
export function choices(box, name, options, chosen) {
  box.replaceChildren(
    ...options.map(({ value, label }) =>
      el('label', { class: 'sb-choice' },
        el('input', { type: 'radio', name, value, checked: String(value) === String(chosen) }),
        el('span', {}, label))));
}

export function days(box, { dates, byDate, chosen, format }) {
  box.replaceChildren(
    ...dates.map((date) => {
      const free = byDate.get(date)?.length ?? 0;
      const day = format.day(date);
      return el('button', {
        type: 'button',
        class: 'sb-day',
        'data-date': date,
        'aria-pressed': String(date === chosen),
        'data-full': !free,
      },
      el('span', { class: 'sb-hidden' }, free ? format.count('days.label', free, { day }) : format.text('days.label_full', { day })),
      el('span', { class: 'sb-day__name', 'aria-hidden': 'true' }, format.day(date, format.weekday)),
      el('span', { class: 'sb-day__number', 'aria-hidden': 'true' }, format.day(date, format.dayNumber)),
      el('span', { class: 'sb-day__free', 'aria-hidden': 'true' }, free ? format.count('days.free', free) : format.text('days.full')));
    }));
  rove(box, box.querySelector('[aria-pressed="true"]'));
}

export function slots(box, list, { format, names, chosen }) {
  const parts = new Map();
  for (const slot of list) {
    const part = partOfDay(slot.start);
    parts.set(part, [...(parts.get(part) ?? []), slot]);
  }
  box.replaceChildren(
    ...[...parts].map(([part, members]) =>
      el('div', { class: 'sb-part' },
        el('h4', { class: 'sb-part__title' }, format.text(`times.${part}`)),
        el('div', { class: 'sb-grid' }, ...members.map((slot) => slotButton(slot, { format, names, chosen }))))));
  rove(box, box.querySelector('[aria-pressed="true"]'));
}

function slotButton(slot, { format, names, chosen }) {
  const few = slot.simulators <= SCARCE && format.count('times.left', slot.simulators);
  return el('button', {
    type: 'button',
    class: 'sb-slot',
    'data-start': slot.start,
    'aria-pressed': String(slot.start === chosen),
  },
  el('span', { class: 'sb-slot__time' }, format.time(slot.start)),
  // The blanks keep the words apart for screen readers.
  ' ',
  el('span', { class: 'sb-slot__price' }, format.price(slot.price_minor)),
  ' ',
  el('span', { class: 'sb-slot__more' }, names ? names(slot.coaches) : few || ''));
}

/** A sentence in the place of the times, with at most one way on. */
export function message(box, sentence, action, label) {
  const button = action && el('button', { type: 'button', class: 'sb-button', 'data-action': action }, label);
  box.replaceChildren(...(sentence ? [el('p', { class: 'sb-empty' }, sentence)] : []), ...(button ? [button] : []));
}

/** Leave one button of the box in the tab order. */
function rove(box, preferred) {
  const buttons = [...box.querySelectorAll('button')];
  const current = preferred ?? buttons[0];
  for (const button of buttons) button.tabIndex = button === current ? 0 : -1;
}

const middle = (node) => {
  const { left, width } = node.getBoundingClientRect();
  return left + width / 2;
};

/** The nearest button of the row above or below, as the eye would pick it. */
function vertical(buttons, current, way) {
  const top = (node) => Math.round(node.getBoundingClientRect().top);
  const beyond = buttons.filter((node) => (top(node) - top(current)) * way > 0);
  if (!beyond.length) return current;
  const row = top(way > 0 ? beyond[0] : beyond.at(-1));
  const near = (node) => Math.abs(middle(node) - middle(current));
  return beyond.filter((node) => top(node) === row).reduce((best, node) => (near(node) < near(best) ? node : best));
}

/** Move the focus among a box's buttons with the arrow keys, Home and End. */
export function arrowKeys(box, signal) {
  box.addEventListener('keydown', (event) => {
    const current = event.target.closest('button');
    const buttons = [...box.querySelectorAll('button')];
    const at = buttons.indexOf(current);
    if (at < 0) return;
    const forward = getComputedStyle(box).direction === 'rtl' ? -1 : 1;
    const next = {
      ArrowRight: () => buttons[at + forward],
      ArrowLeft: () => buttons[at - forward],
      ArrowDown: () => vertical(buttons, current, 1),
      ArrowUp: () => vertical(buttons, current, -1),
      Home: () => buttons[0],
      End: () => buttons.at(-1),
    }[event.key];
    if (!next) return;
    event.preventDefault();
    const target = next() ?? current;
    rove(box, target);
    target.focus();
  }, { signal });
}

export const byDate = (list) => {
  const dates = new Map();
  const inOrder = [...list].sort((one, other) => Date.parse(one.start) - Date.parse(other.start));
  for (const slot of inOrder) {
    const date = dateOf(slot.start);
    dates.set(date, [...(dates.get(date) ?? []), slot]);
  }
  return dates;
};
