/** A held session between page loads, and the time it has left. */

const SPOKEN_AT = [600, 300, 120, 60, 30];
const LIVE = ['held', 'active', 'open'];

export const isLive = (state) => LIVE.includes(state.status);

/** The hold of this tab; a browser that refuses storage only loses the reload. */
export class Keep {
  constructor(proxy) {
    this.key = `studio-booking:${proxy}`;
  }

  read() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key));
    } catch {
      return null;
    }
  }

  write(held) {
    try {
      if (held) sessionStorage.setItem(this.key, JSON.stringify(held));
      else sessionStorage.removeItem(this.key);
    } catch {
      // Private windows of some browsers have no storage.
    }
  }
}

/** Ticks each second, speaks at a few moments, and ends once. */
export class Countdown {
  constructor({ tick, speak, end }) {
    Object.assign(this, { tick, speak, end });
  }

  start(endsAt, skew) {
    this.stop();
    this.endsAt = Date.parse(endsAt) - skew;
    this.total = Math.max(this.#seconds(), 1);
    this.last = this.total;
    this.timer = setInterval(() => this.#step(), 1000);
    this.tick(this.total, 1);
  }

  stop() {
    clearInterval(this.timer);
  }

  #seconds() {
    return Math.ceil((this.endsAt - Date.now()) / 1000);
  }

  #step() {
    const seconds = Math.max(this.#seconds(), 0);
    this.tick(seconds, seconds / this.total);
    // A sleeping tab skips seconds: say the nearest moment that was passed, once.
    if (SPOKEN_AT.some((moment) => seconds <= moment && moment < this.last)) this.speak(seconds);
    this.last = seconds;
    if (!seconds) {
      this.stop();
      this.end();
    }
  }
}
