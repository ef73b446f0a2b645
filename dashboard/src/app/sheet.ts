// Styles by way of the CSSOM. The gateway's content security policy allows no <style> element, with or without a nonce,
// so emotion's rules go into constructed style sheets, of which the policy has nothing to say.

import createCache, { type EmotionCache } from '@emotion/cache';
import { StyleSheet, type Options } from '@emotion/sheet';

export class AdoptedSheet extends StyleSheet {
  private readonly rules = new CSSStyleSheet();
  private readonly first: boolean;

  constructor(options: Options) {
    super(options);
    // What concerns the whole page comes before what concerns one component, as emotion has it.
    this.first = options.key.endsWith('-global');
  }

  override hydrate = () => undefined;

  override insert = (rule: string) => {
    const adopted = document.adoptedStyleSheets;
    if (!adopted.includes(this.rules)) {
      document.adoptedStyleSheets = this.first ? [this.rules, ...adopted] : [...adopted, this.rules];
    }
    try {
      this.rules.insertRule(rule, this.rules.cssRules.length);
    } catch {
      // A selector of another vendor's, such as ::-moz-range-thumb: it is nothing to this browser.
    }
  };

  override flush = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.rules);
    this.rules.replaceSync('');
  };
}

export function makeCache(): EmotionCache {
  const cache = createCache({ key: 'css' });
  cache.sheet = new AdoptedSheet({ key: 'css', container: document.head });
  return cache;
}
