import { createCookieJar } from './cookie-jar.ts'
import { type Form, readForms } from './forms.ts'
import { password as sandboxPassword } from './oidc/accounts.ts'

/**
 * A person with a browser of their own: follows redirects, keeps cookies, fills in forms, presses buttons. Like browsers, it
 * sends Origin with forms and heeds `form-action` of Content-Security-Policy through a form's redirects.
 */
export interface Person {
  /** Opens an address and follows where it leads. */
  open(url: string): Promise<Page>
  /** Submits a form of the page: the first, unless told. */
  submit(page: Page, fields?: Readonly<Record<string, string>>, form?: Form): Promise<Page>
  /**
   * Opens an address, signs in where asked to, confirms what the broker asks, and returns the page it ended on.
   * @param answers values for other fields by name, e.g. a device code
   */
  signIn(url: string, answers?: Readonly<Record<string, string>>): Promise<Page>
  /** One request with this browser's cookies; redirects are not followed. */
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** What this browser would send as the Cookie header; empty when nothing. */
  cookieFor(url: string): string
}

export interface Page {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly body: string
  readonly forms: readonly Form[]
}

const maxRedirects = 20
const maxForms = 8

export function createPerson(account: string, password = sandboxPassword): Person {
  const jar = createCookieJar()
  const send: Person['fetch'] = async (url, init = {}) => {
    const headers = new Headers(init.headers)
    const cookies = jar.header(new URL(url))
    if (cookies) headers.set('cookie', cookies)
    const signal = AbortSignal.timeout(15_000)
    const response = await fetch(url, { signal, ...init, headers, redirect: 'manual' })
    jar.keep(new URL(url), response.headers.getSetCookie())
    return response
  }
  const open = (url: string) => follow(send, url, {}, null)
  const submit: Person['submit'] = (page, fields = {}, form = page.forms[0]) => {
    if (!form) throw new Error(`there is no form on ${page.url}: ${page.body.slice(0, 300)}`)
    const target = new URL(form.action || page.url, page.url)
    const values = new URLSearchParams(fill(form, fields))
    if (form.method === 'get') return open(`${target.origin}${target.pathname}?${values}`)
    const headers = { origin: new URL(page.url).origin, 'content-type': 'application/x-www-form-urlencoded' }
    return follow(send, target.href, { method: 'POST', headers, body: values.toString() }, page)
  }
  return {
    open,
    submit,
    fetch: send,
    cookieFor: (url) => jar.header(new URL(url)),
    signIn: async (url, answers = {}) => {
      let page = await open(url)
      for (let step = 0; page.forms.length > 0; step += 1) {
        if (step === maxForms) throw new Error(`still asked to fill in forms at ${page.url}`)
        page = await submit(page, { username: account, password, ...answers }, choose(page))
      }
      return page
    },
  }
}

async function follow(send: Person['fetch'], url: string, init: RequestInit, from: Page | null): Promise<Page> {
  let [at, request] = [url, init]
  for (let hop = 0; hop <= maxRedirects; hop += 1) {
    if (from) mayBeFormTarget(from, at)
    const response = await send(at, request)
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || !location) return readPage(at, response)
    await response.body?.cancel()
    at = new URL(location, at).href
    if (response.status !== 307 && response.status !== 308) request = {}
  }
  throw new Error(`more than ${maxRedirects} redirects from ${url}`)
}

async function readPage(url: string, response: Response): Promise<Page> {
  const body = await response.text()
  const isHtml = response.headers.get('content-type')?.startsWith('text/html') ?? false
  return { url, status: response.status, headers: response.headers, body, forms: isHtml ? readForms(body) : [] }
}

/** Content Security Policy Level 3, form-action: Chromium applies it to each redirect of a submitted form as well. */
function mayBeFormTarget(page: Page, target: string): void {
  const directive = /(?:^|;)\s*form-action([^;]*)/i.exec(page.headers.get('content-security-policy') ?? '')?.[1]
  if (directive === undefined) return
  const [to, self] = [new URL(target), new URL(page.url)]
  const allowed = directive
    .trim()
    .split(/\s+/)
    .some((source) => {
      if (source === '*') return true
      if (source === "'self'") return to.origin === self.origin
      if (/^[a-z][a-z0-9+.-]*:$/i.test(source)) return to.protocol === source.toLowerCase()
      if (source.endsWith(':*')) return source.slice(0, -2) === `${to.protocol}//${to.hostname}`
      return source.replace(/\/$/, '') === to.origin
    })
  if (!allowed)
    throw new Error(`a browser would refuse to send the form of ${page.url} to ${to.origin}: form-action${directive}`)
}

const refusing = /\b(cancel|deny|reject|refuse|no|not|abort|log ?out|sign ?out)\b/i

/** The form to go on with: not one whose only button says no. */
function choose(page: Page): Form | undefined {
  return page.forms.find(({ buttons }) => buttons.length === 0 || buttons.some(({ label }) => !refusing.test(label)))
}

function fill(form: Form, answers: Readonly<Record<string, string>>): [string, string][] {
  const fields = form.fields
    .filter(({ type, checked }) => (type !== 'radio' && type !== 'checkbox') || checked)
    .map(({ name, type, value }): [string, string] => {
      const given = type === 'hidden' ? value : (answers[name] ?? value)
      if (given === '' && type !== 'hidden')
        throw new Error(`the page asks for "${name}", and nobody said what to type`)
      return [name, given]
    })
  const button = form.buttons.find(({ label }) => !refusing.test(label))
  return button?.name ? [...fields, [button.name, button.value]] : fields
}
