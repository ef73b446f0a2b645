import { beforeEach, expect, test, vi } from 'vitest';
import { AdoptedSheet } from './sheet';

class Rules {
  cssRules: string[] = [];
  insertRule(rule: string, at: number) {
    if (rule.startsWith(':bad')) throw new SyntaxError('no such selector');
    this.cssRules.splice(at, 0, rule);
  }
  replaceSync() {
    this.cssRules = [];
  }
}

beforeEach(() => {
  vi.stubGlobal('CSSStyleSheet', Rules);
  Object.defineProperty(document, 'adoptedStyleSheets', { value: [], writable: true, configurable: true });
});

const rules = () => (document.adoptedStyleSheets as unknown as Rules[]).map((sheet) => sheet.cssRules);

test('rules go into constructed sheets, in order, those of the whole page first, and no <style> is made', () => {
  const sheet = new AdoptedSheet({ key: 'css', container: document.head });
  const whole = new AdoptedSheet({ key: 'css-global', container: document.head });
  sheet.insert('.a{}');
  sheet.insert(':bad{}');
  sheet.insert('.b{}');
  whole.insert('body{}');
  expect(rules()).toEqual([['body{}'], ['.a{}', '.b{}']]);
  whole.flush();
  expect(rules()).toEqual([['.a{}', '.b{}']]);
  expect(document.querySelectorAll('style')).toHaveLength(0);
});
