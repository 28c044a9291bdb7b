// Times in the reader's own zone and words.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export function clock(at) {
  return CLOCK.format(at);
}

export function day(at) {
  return isToday(at) ? "Today" : DAY.format(at);
}

export function clockOrDay(at) {
  return isToday(at) ? CLOCK.format(at) : SHORT_DAY.format(at);
}

export function moment(at) {
  return isToday(at) ? CLOCK.format(at) : `${SHORT_DAY.format(at)}, ${CLOCK.format(at)}`;
}

function isToday(at) {
  return at.toDateString() === new Date().toDateString();
}
