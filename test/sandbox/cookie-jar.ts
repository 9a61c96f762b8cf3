interface Cookie {
  readonly name: string
  readonly value: string
  readonly host: string
  readonly path: string
}

/** Cookies as browsers keep them: by host (ports share), path and name (RFC 6265). Expiry only as deletion. */
export interface CookieJar {
  keep(url: URL, setCookies: readonly string[]): void
  /** Value of the Cookie header; empty when there is none to send. */
  header(url: URL): string
}

export function createCookieJar(): CookieJar {
  const jar = new Map<string, Cookie>()
  return {
    keep: (url, setCookies) => {
      for (const line of setCookies) {
        const { cookie, expired } = parse(url, line)
        const key = `${cookie.host};${cookie.path};${cookie.name}`
        if (expired) jar.delete(key)
        else jar.set(key, cookie)
      }
    },
    header: (url) =>
      [...jar.values()]
        .filter(({ host, path }) => host === url.hostname && covers(path, url.pathname))
        .sort((a, b) => b.path.length - a.path.length)
        .map(({ name, value }) => `${name}=${value}`)
        .join('; '),
  }
}

function parse(url: URL, line: string): { cookie: Cookie; expired: boolean } {
  const [pair = '', ...rest] = line.split(';').map((part) => part.trim())
  const attributes = new Map(rest.map((part) => split(part)).map(([name, value]) => [name.toLowerCase(), value]))
  const [name, value] = split(pair)
  const path = attributes.get('path') ?? '/'
  const { hostname: host } = url
  const maxAge = attributes.get('max-age')
  const expires = attributes.get('expires')
  const expired =
    maxAge === undefined ? expires !== undefined && Date.parse(expires) <= Date.now() : Number(maxAge) <= 0
  return { cookie: { name, value, host, path }, expired }
}

function split(part: string): [string, string] {
  const at = part.indexOf('=')
  return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]
}

function covers(path: string, requested: string): boolean {
  return requested === path || requested.startsWith(path.endsWith('/') ? path : `${path}/`)
}
