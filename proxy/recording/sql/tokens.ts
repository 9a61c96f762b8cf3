/** Offsets are those of the whole text; `to` is exclusive. */
export interface TokenSink {
  /** @param keyword in lower case; '' for a name that no rule asks for. Short words and numbers are given as they are. */
  word(keyword: string, from: number, to: number, isQuoted: boolean): void
  symbol(byte: number, from: number, to: number): void
  parameter(number: number, from: number, to: number): void
  /** @param continues only a line break lies between it and the literal before it: both are one */
  literalStart(from: number, continues: boolean): void
  /** What the literal means, in runs, each byte of which stands for itself … */
  content(bytes: Buffer, start: number, end: number, from: number): void
  /** … and in single bytes that were escaped. */
  escaped(byte: number, from: number, to: number): void
  literalEnd(from: number, to: number): void
}

export interface Counter {
  /** Bytes that were looked at, by all lexers of a text together. */
  steps: number
}
