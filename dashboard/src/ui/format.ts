// How things are said: times, sizes, numbers.

export function since(seconds: number, now = Date.now() / 1000): string {
  const age = Math.max(0, now - seconds);
  if (age < 90) return `${Math.round(age)} s`;
  if (age < 5400) return `${Math.round(age / 60)} min`;
  if (age < 129_600) return `${Math.round(age / 3600)} h`;
  return `${Math.round(age / 86_400)} d`;
}

/** How long something took, or has taken until now; "" before it began. */
export function took(begun: number, ended: number, now = Date.now() / 1000): string {
  if (begun === 0) return '';
  const seconds = Math.max(0, (ended || now) - begun);
  return seconds < 10 ? `${seconds.toFixed(1)} s` : since(0, seconds);
}

export function until(seconds: number, now = Date.now() / 1000): string {
  return seconds <= now ? 'now' : `in ${since(2 * now - seconds, now)}`;
}

/** Date and time as ISO 8601 has them, on the clock of whoever looks. */
export function moment(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString('sv');
}

export function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString(undefined, { hour12: false });
}

export function mebibytes(amount: number): string {
  return amount >= 1024 ? `${(amount / 1024).toFixed(amount >= 10_240 ? 0 : 1)} GiB` : `${amount} MiB`;
}

export function bytes(amount: number): string {
  if (amount < 1024) return `${amount} B`;
  return amount < 1024 * 1024
    ? `${(amount / 1024).toFixed(1)} KiB`
    : mebibytes(Math.round(amount / 1024 / 1024));
}

export function count(amount: number): string {
  return amount.toLocaleString('en');
}

/** Words with blanks or commas between; ``apart``: what else stands between them. */
export function words(text: string, apart = /[\s,]+/): string[] {
  return text.split(apart).filter((word) => word !== '');
}

/** "1 node", "3 nodes". */
export function counted(amount: number, noun: string): string {
  return `${count(amount)} ${noun}${amount === 1 ? '' : 's'}`;
}

export function duration(seconds: number): string {
  if (seconds % 86_400 === 0) return counted(seconds / 86_400, 'day');
  if (seconds % 3600 === 0) return counted(seconds / 3600, 'hour');
  if (seconds % 60 === 0) return counted(seconds / 60, 'minute');
  return `${seconds} s`;
}

export function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
