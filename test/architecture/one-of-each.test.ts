/** What every part needs is written once. Each helper is known by what a second one would have to contain. */
import t from 'tap'
import { readSourceTexts } from './source-texts.ts'

interface Helper {
  readonly what: string
  /** Where it is. */
  readonly home: string
  readonly pattern: RegExp
  /** Other files in which the pattern is something else, with what it is there. */
  readonly besides?: Readonly<Record<string, string>>
  /** How it was, or might be, written a second time. */
  readonly again: readonly string[]
}

const helpers: readonly Helper[] = [
  {
    what: 'reading a duration',
    home: 'proxy/duration.ts',
    pattern:
      /\((?:ms\|)?s\|m\|h\|d\)\$?\/|\[(?:smhd|dhms)\]|\bd: (?:24 \* )?(?:86_?400|3_?600)|function (?:parse|read)Duration\b/,
    besides: { 'proxy/wire/postgres/setting-values.ts': 'as PostgreSQL writes one: min, us, octal' },
    again: [
      'const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const',
      'const [, count, unit] = /^([0-9]+)(ms|s|m|h|d)$/.exec(text) ?? []',
      'text.matchAll(/(\\d+)([smhd])/g)',
    ],
  },
  {
    what: 'writing a duration',
    home: 'proxy/duration.ts',
    pattern: /function format(?:Ms|Duration)\b|\/ 3_?600_?000\) % 24|'d', 'h', 'm'|\bunit, size\]/,
    again: ["[Math.floor(ms / 3_600_000) % 24, 'h'],", "for (const unit of ['d', 'h', 'm', 's']) {"],
  },
  {
    what: 'whether a host is this machine',
    home: 'proxy/ports/loopback.ts',
    pattern: /startsWith\('127\.|'\[::1\]'|'::1'|=== 'localhost'|\.localhost'/,
    besides: { 'proxy/proxy-environment.ts': 'the form of NO_PROXY' },
    again: ["['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)", "host === 'localhost'"],
  },
  {
    what: 'address ranges',
    home: 'proxy/ports/address-range.ts',
    pattern: /new BlockList\(|\? 32 : 128/,
    besides: { 'src/kinds/rds/target.ts': 'the addresses that no target may have' },
    again: ['const list = new BlockList()', 'const most = version === 4 ? 32 : 128'],
  },
  {
    what: 'what counts as one source address',
    home: 'proxy/ports/source-address.ts',
    pattern: /split\('::'\)|::ffff:/i,
    again: ["const [head = '', tail] = address.split('::')", 'const mapped = /^::ffff:([0-9.]+)$/i.exec(bare)?.[1]'],
  },
  {
    what: 'a listening server as a promise',
    home: 'proxy/ports/listen.ts',
    pattern: /(?<!app)\.listen\(/,
    besides: { 'src/daemon.ts': "Fastify's own, which is a promise" },
    again: ["server.listen(0, '127.0.0.1', resolve)"],
  },
  {
    what: 'quoting for shells',
    home: 'proxy/local/shell-quote.ts',
    pattern: /replaceAll\("'"|\[\\w@%\+=/,
    again: ['value.replaceAll("\'", escaped)', '/^[\\w@%+=:,./-]+$/.test(value) ? value : quoted'],
  },
  {
    what: 'comparing in constant time',
    home: 'proxy/constant-time.ts',
    pattern: /timingSafeEqual\(/,
    besides: {
      'proxy/wire/postgres/scram.ts': 'a codec imports nothing; both sides are digests',
      'proxy/wire/mysql/auth.ts': 'the same',
      'proxy/postgres/cancel-registry.ts': 'keys of cancel requests',
    },
    again: ['return bytes.length === wanted.length && timingSafeEqual(bytes, wanted)'],
  },
  {
    what: 'JSON with sorted keys',
    home: 'src/audit/canonical.ts',
    pattern: /function \w*(?:anonical|orted|table)Json\b|\.sort\(\(\[a\], \[b\]\) => \(a < b/,
    besides: {
      'src/identity/signed-rows.ts': 'sorted pairs, which the MACs of identity have covered from the start',
      'src/aws/revocation-policy.ts': 'the order of statements in a policy',
    },
    again: ['export function canonicalJson(value: unknown): string {', '.sort(([a], [b]) => (a < b ? -1 : 1))'],
  },
  {
    what: 'MACs of rows',
    home: 'src/store/signed-rows.ts',
    pattern: /`row:\$\{|column !== 'mac'/,
    again: [`keyring.mac(\`row:\${table}\`, macText(table, row))`],
  },
  {
    what: 'newest versions of rows',
    home: 'src/store/known-versions.ts',
    pattern: /Math\.max\(version, /,
    again: ['this.#versions.set(principalId, Math.max(version, this.version(principalId)))'],
  },
  {
    what: 'paging by the last row',
    home: 'src/store/pages.ts',
    pattern: /for \([^)\n]*; ?; ?\) \{\s[^}]{0,300}?\.at\(-1\)/,
    again: [
      'for (;;) {\n  const rows = await query.execute()\n  const last = rows.at(-1)\n  if (!last) break\n',
      'for (let n = 0; ; ) {\n  const rows = await store.checkpoints(n, pageSize)\n  const last = rows.at(-1)\n',
    ],
  },
  {
    what: 'reading all events of some types',
    home: 'src/audit/read-events.ts',
    pattern: /while \(cursor !== null\)/,
    besides: { 'src/cli/operate/audit.ts': 'the same over HTTP' },
    again: ['do {\n  cursor = page.next\n} while (cursor !== null)'],
  },
  {
    what: 'one after the other by key',
    home: 'src/telemetry/keyed-mutex.ts',
    pattern: /\.then\((\w+), \1\)/,
    again: ['const turn = before.then(work, work)'],
  },
  {
    what: 'the nearest known name',
    home: 'src/config/suggest.ts',
    pattern: /levenshtein|distanceOf/i,
    again: ['function distanceOf(a: string, b: string): number {'],
  },
  {
    what: 'opening a browser',
    home: 'src/cli/login/open-browser.ts',
    pattern: /xdg-open|url\.dll/,
    again: ["spawn('xdg-open', [url])"],
  },
  {
    what: 'new ids',
    home: 'src/store/ids.ts',
    pattern: /from 'uuid'|randomUUID\(/,
    besides: { 'proxy/ssm/uuid.ts': 'ids that AWS’s protocol has, and says are random' },
    again: ['const id = randomUUID()'],
  },
]

const sources = readSourceTexts('src', 'proxy')

for (const { what, home, pattern, besides = {}, again } of helpers) {
  t.test(`one definition: ${what}`, async (t) => {
    const found = sources.filter(({ code }) => pattern.test(code)).map(({ path }) => path)
    t.ok(found.includes(home), `it is in ${home}`)
    t.same(
      found.filter((path) => path !== home && !(path in besides)),
      [],
      `and nowhere else: import it from ${home}`,
    )
    for (const text of again) t.match(text, pattern, 'a second one would be found')
  })
}
