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
  /** What stands in such a comment is code. @param version 0: the comment names none @param isMariaDb `/*M!` */
  runs(version: number, isMariaDb: boolean): boolean
}

/** What is known of how the server reads this session's texts. */
export interface MysqlMode extends SqlMode {
  readonly ansiQuotes?: boolean | 'unknown'
  /** `character_set_client`; undefined: unknown. */
  readonly charset?: string | undefined
  /** The target's own version, as it greets; undefined: unknown. */
  readonly version?: string | undefined
}

/** Every way that is left open. */
export function readingsOf({ backslashes, ansiQuotes = 'unknown', charset, version }: MysqlMode): Reading[] {
  const readings: Reading[] = []
  for (const hasBackslashes of eitherOf(backslashes))
    for (const hasAnsiQuotes of eitherOf(ansiQuotes))
      for (const [lead, isLead] of leadsOf(charset))
        for (const [i, runs] of runsOf(version).entries()) {
          const key = [hasBackslashes, hasAnsiQuotes, lead, i].join()
          readings.push({ key, backslashes: hasBackslashes, ansiQuotes: hasAnsiQuotes, isLead, runs })
        }
  return readings
}

function eitherOf(known: boolean | 'unknown'): readonly boolean[] {
  return known === 'unknown' ? [true, false] : [known]
}

const never = () => false
const isGbkLead = (byte: number) => byte >= 0x81 && byte <= 0xfe
/** With single bytes for half the kana. */
const isSjisLead = (byte: number) => (byte >= 0x81 && byte <= 0x9f) || (byte >= 0xe0 && byte <= 0xfc)
const leads: Readonly<Record<string, Reading['isLead']>> = {
  gbk: isGbkLead,
  gb18030: isGbkLead,
  big5: (byte) => byte >= 0xa1 && byte <= 0xf9,
  sjis: isSjisLead,
  cp932: isSjisLead,
}

type Lead = readonly [name: string, isLead: Reading['isLead']]

const noLead: Lead = ['', never]

function leadsOf(charset: string | undefined): readonly Lead[] {
  if (charset === undefined) return [noLead, ['gbk', isGbkLead]]
  const name = charset.toLowerCase()
  const isLead = leads[name]
  return isLead ? [[name, isLead]] : [noLead]
}

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
