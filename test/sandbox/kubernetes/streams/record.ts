/** What became of one request to upgrade. */
export interface StreamRecord {
  readonly kind: 'exec' | 'attach' | 'portforward'
  /** Of the API: namespace/name. */
  readonly pod: string
  /** Of an exec: program and arguments. */
  readonly command: readonly string[]
  readonly tty: boolean
  /** Empty until it was accepted. */
  transport: '' | 'webSocket' | 'spdy' | 'tunnel'
  /** As the 101 named it. */
  protocol: string
  /** Accepted, and the client is there. */
  isOpen: boolean
  /** null: the program still runs, or there is none of this name */
  exitCode: number | null
  inputBytes: number
  hasInputEnded: boolean
  /** Of the terminal, as they came: `80x24`. */
  readonly sizes: string[]
  /** Ports that were asked for, one for each connection. */
  readonly ports: number[]
  /** What the client did that clients may not do. */
  violation: string | null
  /** Came behind an upgrade that was refused: nothing should. */
  trailingBytes: number
}

export function newRecord(kind: StreamRecord['kind'], pod: string, query: URLSearchParams): StreamRecord {
  return {
    kind,
    pod,
    command: query.getAll('command'),
    tty: query.get('tty') === 'true',
    transport: '',
    protocol: '',
    isOpen: false,
    exitCode: null,
    inputBytes: 0,
    hasInputEnded: false,
    sizes: [],
    ports: [],
    violation: null,
    trailingBytes: 0,
  }
}
