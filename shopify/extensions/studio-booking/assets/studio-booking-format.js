/** Words, times and money in the language of the page. */

const DAY = 864e5;
const MINUTE = 6e4;

export const dateOf = (stamp) => stamp.slice(0, 10);
export const addDays = (date, count) => dateOf(new Date(Date.parse(date) + count * DAY).toISOString());
export const partOfDay = (stamp) => {
  const hour = Number(stamp.slice(11, 13));
  if (hour < 5) return 'night';
  if (hour < 12) return 'morning';
  return hour < 17 ? 'afternoon' : 'evening';
};

// The studio's wall clock travels inside a UTC date, so that no zone of the browser can move it.
const wallClock = (stamp) => new Date(`${stamp.slice(0, 16)}Z`);
const offsetOf = (stamp) => {
  const [offset] = /Z$|[+-]\d\d:\d\d$/.exec(stamp) ?? ['Z'];
  return `UTC${offset === 'Z' ? '' : offset.replace('-', '−')}`;
};

export class Format {
  constructor(locale, texts) {
    this.locale = locale;
    this.texts = texts;
    this.plurals = new Intl.PluralRules(locale);
    this.clock = this.#dates({ hour: 'numeric', minute: '2-digit' });
    this.weekday = this.#dates({ weekday: 'short' });
    this.dayNumber = this.#dates({ day: 'numeric' });
    this.longDay = this.#dates({ weekday: 'long', day: 'numeric', month: 'long' });
    this.shortDay = this.#dates({ weekday: 'short', day: 'numeric', month: 'short' });
    this.span = this.#dates({ day: 'numeric', month: 'short', year: 'numeric' });
    this.studioIn('UTC', 'USD');
  }

  /** Settle on the studio's zone and currency, which are known only from its answers. */
  studioIn(zone, currency) {
    this.zone = zone;
    this.zoneClock = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' });
    this.prices = new Intl.NumberFormat(this.locale, { style: 'currency', currency, currencyDisplay: 'narrowSymbol' });
    this.currency = currency;
  }

  text(key, values = {}) {
    return (this.texts[key] ?? '').replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  count(key, count, values) {
    const form = `${key}_${this.plurals.select(count)}`;
    return this.text(form in this.texts ? form : `${key}_other`, { count, ...values });
  }

  /** A price for a button; whole amounts go without their zeros. */
  price(minor) {
    const { maximumFractionDigits: digits } = this.prices.resolvedOptions();
    const amount = minor / 10 ** digits;
    return this.prices.format(amount).replace(Number.isInteger(amount) ? /[.,]0+(?!\d)/ : /$^/, '');
  }

  /** A price that names its currency, for the moment of paying. */
  total(minor, currency) {
    const options = { style: 'currency', currency, currencyDisplay: 'narrowSymbol' };
    const prices = new Intl.NumberFormat(this.locale, options);
    return `${prices.format(minor / 10 ** prices.resolvedOptions().maximumFractionDigits)} ${currency}`;
  }

  duration(minutes, style = 'long') {
    const hours = Math.floor(minutes / 60);
    const rest = minutes % 60;
    const parts = [];
    const display = hours && rest ? 'short' : style;
    if (hours) parts.push(this.#unit(hours, 'hour', display));
    if (rest || !hours) parts.push(this.#unit(rest, 'minute', display));
    return parts.join(' ');
  }

  /** How long is left, said aloud: minutes while there are any, then seconds. */
  left(seconds) {
    return seconds < 60 ? this.#unit(seconds, 'second', 'long') : this.duration(Math.round(seconds / 60));
  }

  countdown(seconds) {
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  }

  /** The date it is in the studio, wherever the visitor sits. */
  today() {
    return this.zoneClock.format(new Date()).slice(0, 10);
  }

  day(date, style = this.longDay) {
    return style.format(new Date(date));
  }

  days(from, to) {
    return this.span.formatRange(new Date(from), new Date(to));
  }

  time(stamp, withOffset = this.isDoubled(stamp)) {
    const time = this.clock.format(wallClock(stamp));
    return withOffset ? `${time} (${offsetOf(stamp)})` : time;
  }

  /** From when until when, with offsets where the wall clock alone could be misread. */
  range(start, end) {
    const marked = offsetOf(start) !== offsetOf(end) || this.isDoubled(start) || this.isDoubled(end);
    return this.text('times.range', { start: this.time(start, marked), end: this.time(end, marked) });
  }

  when(start, end) {
    return `${this.day(dateOf(start), this.shortDay)}, ${this.range(start, end)}`;
  }

  /** Whether the studio's clock shows this very time twice, as on the night it is put back. */
  isDoubled(stamp) {
    const instant = Date.parse(stamp);
    const shown = (minutes) => this.zoneClock.format(instant + minutes * MINUTE);
    return [-60, 60, -30, 30].some((minutes) => shown(minutes) === shown(0));
  }

  zoneNote() {
    const names = new Intl.DateTimeFormat(this.locale, { timeZone: this.zone, timeZoneName: 'longGeneric' });
    const name = names.formatToParts().find((part) => part.type === 'timeZoneName').value;
    const city = this.zone.split('/').pop().replace(/_/g, ' ');
    return this.text('times.zone', { zone: name.includes(city) ? name : `${name} (${city})` });
  }

  #unit(value, unit, unitDisplay) {
    return new Intl.NumberFormat(this.locale, { style: 'unit', unit, unitDisplay }).format(value);
  }

  #dates(options) {
    return new Intl.DateTimeFormat(this.locale, { ...options, timeZone: 'UTC' });
  }
}
