// Server-sent events out of the body of an answer. A browser's own EventSource sends no token.

export interface SentEvent {
  /** "": a sign of life. */
  type: string;
  data: string;
}

/** Takes text in whatever pieces it comes, and gives the messages that are whole. */
export class SentEvents {
  private rest = '';
  private type = '';
  private data: string[] = [];

  take(text: string): SentEvent[] {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): SentEvent[] {
    if (line === '') {
      const whole = { type: this.type || 'message', data: this.data.join('\n') };
      const said = this.data.length > 0;
      [this.type, this.data] = ['', []];
      return said ? [whole] : [];
    }
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (name === 'event') this.type = value;
    if (name === 'data') this.data.push(value);
    return name === '' ? [{ type: '', data: '' }] : [];
  }
}
