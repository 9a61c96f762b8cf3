/** Heads of answers, and how long what follows is (RFC 9112, 6.3). What two readers might take differently is refused. */
import { WireError } from '../wire-error.ts'
import { readFields } from './fields.ts'

/** What follows a head: nothing, so many bytes, chunks, or all until the connection ends. */
export type BodyLength = number | 'chunked' | 'until-close'

export interface AnswerHead {
  readonly status: number
  readonly reason: string
  /** Names and values by turns, as they came; latin1. */
  readonly fields: readonly string[]
  readonly length: BodyLength
  /** The connection can carry another request behind it. */
  readonly isKept: boolean
}

const statusLine = /HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?\r\n/y

/** @param text latin1, without the empty line @param isHead the request's method was HEAD @throws WireError */
export function readAnswerHead(text: string, isHead: boolean): AnswerHead {
  statusLine.lastIndex = 0
  const [line, minor, code, reason = ''] = statusLine.exec(text) ?? []
  if (line === undefined) throw new WireError('a line that is no status line')
  const fields = readFields(text.slice(line.length), 'latin1')
  if (!fields) throw new WireError('a field that is not one')
  const status = Number(code)
  const isOld = minor === '0'
  const hasBody = !isHead && status >= 200 && status !== 204 && status !== 304
  const { options, ...framing } = readFraming(fields, isOld)
  const length = hasBody ? lengthOf(framing) : 0
  const isKept = length !== 'until-close' && !options.includes('close') && (!isOld || options.includes('keep-alive'))
  return { status, reason, fields, length, isKept }
}

interface Framing {
  readonly length: string | undefined
  readonly isChunked: boolean
}

/** @returns with the options of the connection */
function readFraming(fields: readonly string[], isOld: boolean): Framing & { readonly options: string } {
  let length: string | undefined
  let isChunked = false
  let options = ''
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? ''
    const value = fields[i + 1] ?? ''
    // Others cannot be one of the three.
    if (name.length !== 14 && name.length !== 17 && name.length !== 10) continue
    const lower = name.toLowerCase()
    if (lower === 'connection') options += ` ${value.toLowerCase()}`
    else if (lower === 'content-length') {
      if (length !== undefined) throw new WireError('several lengths')
      length = value
    } else if (lower === 'transfer-encoding') {
      if (isChunked || isOld || value.toLowerCase() !== 'chunked') throw new WireError('an unknown transfer coding')
      isChunked = true
    }
  }
  if (isChunked && length !== undefined) throw new WireError('both a length and chunks')
  return { length, isChunked, options }
}

function lengthOf({ length, isChunked }: Framing): BodyLength {
  if (isChunked) return 'chunked'
  if (length === undefined) return 'until-close'
  if (!/^[0-9]{1,15}$/.test(length)) throw new WireError('a length that is no number')
  return Number(length)
}
