// Times in the user's time zone and language.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

const isToday = (at) => at.toDateString() === new Date().toDateString();

export const clock = (at) => CLOCK.format(at);
export const day = (at) => (isToday(at) ? "Today" : DAY.format(at));
export const clockOrDay = (at) => (isToday(at) ? clock(at) : SHORT_DAY.format(at));
export const moment = (at) => (isToday(at) ? clock(at) : `${SHORT_DAY.format(at)}, ${clock(at)}`);
