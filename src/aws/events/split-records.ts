import { EventProblem } from './read-event.ts'

/** Of one record. CloudTrail keeps them below 256 KiB. */
const longestRecord = 1_048_576

const [quote, backslash, open, close, openList, closeList] = Buffer.from('"\\{}[]')

/**
 * Splits `{"Records":[{…},{…}]}` into the bytes of its records while it comes, so that nothing of it need be in memory at once. Members
 * beside `Records` are passed over as long as they hold no objects. Whether the records are JSON their reader says.
 * @throws EventProblem for another form, and for a record of more than a mebibyte
 */
export async function* splitRecords(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  let depth = 0
  let isText = false
  let isEscaped = false
  let record: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    let from = depth >= recordDepth ? 0 : -1
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]
      if (isText) {
        if (isEscaped) isEscaped = false
        else if (byte === backslash) isEscaped = true
        else if (byte === quote) isText = false
      } else if (byte === quote) isText = true
      else if (byte === open || byte === openList) {
        depth += 1
        if (depth > deepest) throw new EventProblem('records nested too deeply')
        if (depth === recordDepth) {
          if (byte !== open) throw new EventProblem('a record that is no object')
          from = at
        }
      } else if (byte === close || byte === closeList) {
        depth -= 1
        if (depth < 0) throw new EventProblem('brackets that do not match')
        if (depth === recordDepth - 1 && from !== -1) {
          length += at + 1 - from
          if (length > longestRecord) throw new EventProblem('a record that is too long')
          yield Buffer.concat([...record, chunk.subarray(from, at + 1)])
          record = []
          length = 0
          from = -1
        }
      }
    }
    if (from === -1) continue
    record.push(chunk.subarray(from))
    length += chunk.length - from
    if (length > longestRecord) throw new EventProblem('a record that is too long')
  }
  if (depth !== 0 || isText) throw new EventProblem('an object that ends in the middle')
}

/** The object, its list, and a record in it. */
const recordDepth = 3
const deepest = 200
