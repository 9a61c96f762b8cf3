/** Connection settings for stock clients, whatever their protocol. */
export interface ClientSettings {
  /** Short name of the resource; names the section of files that have sections. */
  readonly name: string
  /** An address, or the directory of a Unix socket. */
  readonly host: string
  readonly port: number
  /** Empty: none is chosen. */
  readonly database: string
  readonly user: string
  /** Null: none is required. */
  readonly password: string | null
  readonly sslmode: 'disable' | 'verify-full'
  /** PEM file of the broker's CA, for `verify-full`. */
  readonly sslrootcert?: string
}

/** How the settings of one protocol are written for its clients. */
export interface SettingsFormats {
  /** The first is the usual one. */
  readonly forms: readonly [string, ...string[]]
  /**
   * Text to paste. A password stands apart, never inside a command or a URL: those end up in process lists, histories and logs.
   * @throws TypeError when the form cannot express it (JDBC and a Unix socket), or a name holds control characters
   */
  format(settings: ClientSettings, form: string): string
  /** How its clients come to trust the certificate of the broker's own port. @param ca PEM file that this machine trusts it by */
  trustNote(ca: string | undefined): string
}

/** What a protocol adds to {@link SettingsFormats}. */
interface Formats extends Pick<SettingsFormats, 'forms' | 'trustNote'> {
  /** Of each form. */
  readonly formats: Readonly<Record<string, (settings: ClientSettings) => string>>
  /** Forms that hold the password themselves. */
  readonly withPassword: readonly string[]
  /** The line that a password has in every other form. */
  passwordNote(password: string, form: string): string
}

export function settingsFormats({ forms, formats, withPassword, passwordNote, trustNote }: Formats): SettingsFormats {
  return {
    forms,
    trustNote,
    format: (settings, form) => {
      checkPlain(settings)
      const format = formats[form]
      if (!format) throw new TypeError(`unknown form ${form}`)
      const text = format(settings)
      const { password } = settings
      return withPassword.includes(form) || password === null ? text : `${text}\n${passwordNote(password, form)}`
    },
  }
}

/** @throws TypeError for control characters, which could add lines of their own */
function checkPlain(settings: ClientSettings): void {
  const odd = Object.values(settings).find((value) => typeof value === 'string' && /\p{Cc}/u.test(value))
  if (odd !== undefined) throw new TypeError(`control characters in ${JSON.stringify(odd)}`)
}

/** Not URLSearchParams: libpq does not read + as a space. */
export function query(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${escapeUrl(value)}`)
    .join('&')
}

/** Also escapes what encodeURIComponent leaves and a shell interprets. */
export function escapeUrl(value: string): string {
  return encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

export function hostPort(s: Pick<ClientSettings, 'host' | 'port'>): string {
  return `${s.host.includes(':') ? `[${s.host}]` : s.host}:${s.port}`
}

export function isSocket(s: Pick<ClientSettings, 'host'>): boolean {
  return s.host.startsWith('/')
}
