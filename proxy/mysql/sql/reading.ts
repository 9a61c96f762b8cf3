import type { Counter } from '../../recording/sql/tokens.ts'
import type { SqlMode } from '../../recording/sql-dialect.ts'

/** One way in which a server may read a text. */
export interface Reading {
  /** Equal for readings that are. */
  readonly key: string
  /** Off in the SQL mode NO_BACKSLASH_ESCAPES. */
  readonly backslashes: boolean
  /** On in the SQL mode ANSI_QUOTES: `"x"` is a name. */
  readonly ansiQuotes: boolean
  /** The byte begins a character of two bytes, whose second one may be a backslash or a backtick. */
  isLead(byte: number): boolean
  /** The byte above 0x7F that is a blank; −1: none is. */
  readonly highBlank: number
  /** It is the first of several: where the others would read on in another way, it says so, and reads on as ASCII. */
  readonly mayDiffer: boolean
  /** What stands in such a comment is code. @param version 0: the comment names none @param isMariaDb `/*M!` */
  runs(version: number, isMariaDb: boolean): boolean
}

export interface TextCounter extends Counter {
  /** In other character sets the text would be read in another way. */
  differs?: boolean
}

/** What is known of how the server reads this session's texts. */
export interface MysqlMode extends SqlMode {
  readonly ansiQuotes?: boolean | 'unknown'
  /** The text is read as each character set of clients has it; left out: in one way, until that makes a difference. */
  readonly isEachCharset?: boolean
  /** The target's own version, as it greets; undefined: unknown. */
  readonly version?: string | undefined
}

/** Every way that is left open. */
export function readingsOf({
  backslashes,
  ansiQuotes = 'unknown',
  isEachCharset = false,
  version,
}: MysqlMode): Reading[] {
  const readings: Reading[] = []
  for (const hasBackslashes of eitherOf(backslashes))
    for (const hasAnsiQuotes of eitherOf(ansiQuotes))
      for (const [c, charset] of (isEachCharset ? charsets : [anyCharset]).entries())
        for (const [i, runs] of runsOf(version).entries()) {
          const key = [hasBackslashes, hasAnsiQuotes, c, i].join()
          readings.push({ key, backslashes: hasBackslashes, ansiQuotes: hasAnsiQuotes, ...charset, runs })
        }
  return readings
}

function eitherOf(known: boolean | 'unknown'): readonly boolean[] {
  return known === 'unknown' ? [true, false] : [known]
}

type Charset = Pick<Reading, 'isLead' | 'highBlank' | 'mayDiffer'>

const never = () => false
/**
 * `character_set_client` as MariaDB's scanner knows it: tried with each of them. It is not asked for, since a client may keep the server
 * from telling it, and a stored routine may change it.
 */
const charsets: readonly Charset[] = [
  // UTF-8, and most others.
  { isLead: never, highBlank: -1, mayDiffer: false },
  // latin1 and others of ISO 8859.
  { isLead: never, highBlank: 0xa0, mayDiffer: false },
  // cp852, cp866, keybcs2
  { isLead: never, highBlank: 0xff, mayDiffer: false },
  // gbk, gb18030
  { isLead: (byte) => byte >= 0x81 && byte <= 0xfe, highBlank: -1, mayDiffer: false },
  { isLead: (byte) => byte >= 0xa1 && byte <= 0xf9, highBlank: -1, mayDiffer: false }, // big5
  // sjis, cp932: half the kana are single bytes.
  {
    isLead: (byte) => (byte >= 0x81 && byte <= 0x9f) || (byte >= 0xe0 && byte <= 0xfc),
    highBlank: -1,
    mayDiffer: false,
  },
]
const anyCharset: Charset = { isLead: (byte) => byte >= 0x80, highBlank: -1, mayDiffer: true }

function runsOf(version: string | undefined): readonly Reading['runs'][] {
  if (version === undefined) return runsOfAny
  const [, major = '0', minor = '0', patch = '0'] = /^(?:5\.5\.5-)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})/.exec(version) ?? []
  const own = Number(major) * 10_000 + Number(minor) * 100 + Number(patch)
  if (!/mariadb/i.test(version)) return [(needs, isMariaDb) => needs <= own && !isMariaDb]
  return [(needs, isMariaDb) => needs <= own && (isMariaDb || !isMysqlOnly(needs))]
}

/** Versions that MariaDB never had. */
const isMysqlOnly = (needs: number) => needs >= 50_700 && needs <= 99_999
/** Above those of any server: to be skipped by all. */
const noVersion = 300_000
const runsOfAny: readonly Reading['runs'][] = [
  (needs) => needs < noVersion,
  (needs, isMariaDb) => needs < noVersion && (isMariaDb || !isMysqlOnly(needs)),
  (needs, isMariaDb) => needs === 0 && !isMariaDb,
]
