import type { FastifyReply } from 'fastify'

/** Text that is already HTML. Only {@link html} makes it, and escapes every value. */
export interface Html {
  readonly html: string
}

type Part = string | number | Html | readonly Html[]

/** Template tag: every value is escaped, unless it is HTML made by this tag. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  return { html: strings.map((text, i) => text + (i < values.length ? render(values[i] ?? '') : '')).join('') }
}

function render(part: Part): string {
  if (typeof part === 'string' || typeof part === 'number') return escapeText(visible(String(part)))
  return 'html' in part ? part.html : part.map((each) => each.html).join('')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeText(text: string): string {
  return text.replaceAll(/[&<>"']/g, (c) => entities[c] ?? c)
}

/** Names come from elsewhere: no character may reverse the text or be invisible. */
function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '\u{fffd}')
}

export interface PageOptions {
  readonly status?: number
  /** Origin besides our own to which a form on this page may redirect. */
  readonly formLeadsTo?: string
}

/** Sends a page without scripts that can't be framed, cached, or leak its address as referrer. */
export function sendPage(reply: FastifyReply, title: string, body: Html, options: PageOptions = {}): FastifyReply {
  const formAction = options.formLeadsTo ? `'self' ${options.formLeadsTo}` : "'self'"
  return (
    reply
      .code(options.status ?? 200)
      .header(
        'content-security-policy',
        `default-src 'none'; style-src 'self'; form-action ${formAction}; frame-ancestors 'none'; base-uri 'none'`,
      )
      // `no-referrer` would make browsers send `Origin: null` with our own forms (Fetch, "append a request Origin header").
      .header('referrer-policy', 'same-origin')
      .header('cache-control', 'no-store')
      .type('text/html; charset=utf-8')
      .send(document(title, body).html)
  )
}

export const stylePath = '/pages.css'

function document(title: string, body: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Sallyport</title>
<link rel="stylesheet" href="${stylePath}">
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`
}

/** For every page; served from {@link stylePath} because the policy forbids styles inside a page. */
export const style = `:root { color-scheme: light dark; --line: #8884; --accent: #0b66c3 }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 }
main { max-width: 40rem; margin: 8vh auto; padding: 0 1.25rem }
h1 { font-size: 1.5rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem }
dt { opacity: .7 }
dd { margin: 0; overflow-wrap: anywhere }
pre, code { font: .9rem/1.6 ui-monospace, monospace }
pre { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; overflow-x: auto }
form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; margin: 1.25rem 0 }
label { display: grid; gap: .25rem }
input { font: 1.25rem ui-monospace, monospace; padding: .4rem .6rem; width: 12ch; text-transform: uppercase }
button { font: inherit; padding: .5rem 1rem; border: 1px solid var(--line); border-radius: .4rem; cursor: pointer }
button.go { background: var(--accent); border-color: var(--accent); color: #fff }
`
