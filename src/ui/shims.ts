/**
 * What lets libraries work under the page's policy (src/http/pages/shell.ts), which allows no inline style and no HTML from text. To be
 * imported before any of them.
 */

/** Browsers hide it from the document, not from its own scripts. */
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? ''

// xterm makes its own style elements, and has no option for a nonce.
const createElement = document.createElement.bind(document)
document.createElement = (name: string, options?: ElementCreationOptions): HTMLElement => {
  const element = createElement(name, options)
  if (element instanceof HTMLStyleElement) element.nonce = nonce
  return element
}

// As xterm colours its cells. The attribute is inline style; the property is not.
const setAttribute = Element.prototype.setAttribute
Element.prototype.setAttribute = function (this: Element, name: string, value: string): void {
  if (name === 'style' && this instanceof HTMLElement) this.style.cssText = value
  else setAttribute.call(this, name, value)
}

interface PolicyFactory {
  createPolicy(name: 'default', rules: { createHTML(html: string): string }): void
}

/** Text without markup may be set as HTML; scripts and their addresses have no rule and are refused. */
const { trustedTypes } = globalThis as { trustedTypes?: PolicyFactory }
trustedTypes?.createPolicy('default', {
  createHTML: (html) => {
    if (html.includes('<')) throw new TypeError('HTML from text is not allowed on this page')
    return html
  },
})
