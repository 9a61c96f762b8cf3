import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

/** Keys whose values never reach a log line, at any of the first three depths. */
const secretKeys = [
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'secret',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'client_secret',
  'code',
  'code_verifier',
  'sessionToken',
  'secretAccessKey',
]

const redactedPaths = secretKeys.flatMap((key) => {
  const quoted = key.includes('-') ? `["${key}"]` : `.${key}`
  return [quoted.replace(/^\./, ''), `*${quoted}`, `*.*${quoted}`]
})

/** JSON lines on stdout, or on `destination`, each with `base`; secrets are removed by key, and URLs lose their query in `http/app.ts`. */
export function createLogger(
  options: { level?: string; destination?: DestinationStream; base?: Readonly<Record<string, unknown>> } = {},
): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: options.base ?? null,
      redact: { paths: redactedPaths, censor },
      // A node-postgres or AWS error carries request objects; only these fields of an error are safe to print.
      serializers: { err: describeError },
    },
    options.destination ?? pino.destination(1),
  )
}

/** The code of an error is a name such as ENOENT, GRANT_DENIED or 57P01; any other `code` may be one that signs someone in. */
class ErrorName {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  toJSON(): string {
    return this.name
  }
}

function censor(value: unknown): unknown {
  return value instanceof ErrorName ? value.name : '[redacted]'
}

function nameOf(code: unknown): unknown {
  return typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code) ? new ErrorName(code) : code
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack } = error
  const code = 'code' in error ? nameOf(error.code) : undefined
  return { name, message, code, stack, ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }) }
}
