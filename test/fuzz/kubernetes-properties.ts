import type * as Answers from '../../proxy/wire/http1/answer-reader.ts'
import type * as Attributes from '../../proxy/wire/kubernetes/attributes.ts'
import type * as Channels from '../../proxy/wire/kubernetes/channels.ts'
import type * as Status from '../../proxy/wire/kubernetes/status.ts'
import type * as StreamOptions from '../../proxy/wire/kubernetes/stream-options.ts'
import type * as Spdy from '../../proxy/wire/spdy/frames.ts'
import type * as Websocket from '../../proxy/wire/websocket/frames.ts'
import type * as WireErrors from '../../proxy/wire/wire-error.ts'
import fc from '../fast-check.ts'
import { likelyAnswer, readAnswer } from './kubernetes-answers.ts'
import { likelyRequest, readRequest } from './kubernetes-requests.ts'
import { likelySpdy, readSpdy } from './kubernetes-spdy.ts'
import { likelyWebsocket, readWebsocket } from './kubernetes-websocket.ts'
import { loadCodec } from './load-codec.ts'

/** What `proxy/wire` has for Kubernetes, or a copy of it with a fault. */
export interface KubernetesCodec {
  readonly answers: typeof Answers
  readonly attributes: typeof Attributes
  readonly channels: typeof Channels
  readonly status: typeof Status
  readonly options: typeof StreamOptions
  readonly spdy: typeof Spdy
  readonly websocket: typeof Websocket
  readonly errors: typeof WireErrors
}

/** @param folder URL of `kubernetes`, which ends in a slash; the other codecs are beside it */
export function loadKubernetesCodec(folder: string): Promise<KubernetesCodec> {
  return loadCodec<KubernetesCodec>(folder, {
    answers: '../http1/answer-reader',
    attributes: 'attributes',
    channels: 'channels',
    status: 'status',
    options: 'stream-options',
    spdy: '../spdy/frames',
    websocket: '../websocket/frames',
    errors: '../wire-error',
  })
}

const sizes = fc.array(fc.nat(40), { maxLength: 20 })

/** What holds for any input, by what it says. */
export function kubernetesProperties(codec: KubernetesCodec) {
  const { answers, attributes, channels, status, options, spdy, websocket, errors } = codec
  const orWireError = (run: () => unknown): boolean => {
    try {
      run()
      return true
    } catch (error) {
      return error instanceof errors.WireError
    }
  }
  /** Null: refused. */
  const request = (method: string, url: string) => {
    try {
      return attributes.readAttributes(method, url)
    } catch (error) {
      if (error instanceof errors.WireError) return null
      throw error
    }
  }
  return {
    'any request line gives attributes or a WireError': fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.webPath(),
        fc.webPath().map((path) => `/api/v1${path}`),
      ),
      (url) => orWireError(() => attributes.readAttributes('GET', url)),
    ),
    'a request is read as a plain reading says': fc.property(likelyRequest, ([method, url]) => {
      const read = request(method, url)
      const { path, query, ...seen } = read ?? { path: '', query: '' }
      const isAsCame = read === null || `${path}${query === '' ? '' : `?${query}`}` === url.replace(/\?$/, '')
      return isAsCame && JSON.stringify(read && seen) === JSON.stringify(readRequest(method, url))
    }),
    'any query of a stream gives options or a WireError': fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.webQueryParameters()),
      (query) =>
        orWireError(() => options.readExecOptions(query)) && orWireError(() => options.readForwardPorts(query)),
    ),
    'any status gives an end or a WireError': fc.property(fc.oneof(fc.json(), fc.string()), (json) =>
      orWireError(() => status.readExitStatus(Buffer.from(json))),
    ),
    'websocket frames are read as a plain reading says, however they are split': fc.property(
      fc.boolean(),
      likelyWebsocket,
      sizes,
      (isMasked, make, sizes) => {
        const seen: string[] = []
        const bytes = make(isMasked)
        const frames = new websocket.WebsocketFrames(
          {
            begin: (isText) => void seen.push(`begin ${isText}`),
            data: (part) => void seen.push(...Array.from(part, String)),
            end: () => void seen.push('end'),
            control: (code, payload) => void seen.push(`control ${code} ${payload.toString('hex')}`),
          },
          isMasked,
        )
        return isAsRead(bytes, sizes, (part) => frames.scan(part), seen, readWebsocket(bytes, isMasked))
      },
    ),
    'SPDY frames are read as a plain reading says, however they are split': fc.property(
      likelySpdy,
      sizes,
      (bytes, sizes) => {
        const seen: string[] = []
        const frames = new spdy.SpdyFrames({
          open: (id, headers) => void seen.push(`open ${id} ${JSON.stringify([...headers])}`),
          reply: (id) => void seen.push(`reply ${id}`),
          data: (id, part) => void seen.push(...Array.from(part, (byte) => `${byte} ${id}`)),
          finish: (id) => void seen.push(`finish ${id}`),
          reset: (id) => void seen.push(`reset ${id}`),
        })
        return isAsRead(bytes, sizes, (part) => frames.scan(part), seen, readSpdy(bytes))
      },
    ),
    'an answer of HTTP/1.1 is read as a plain reading says, however it is split': fc.property(
      likelyAnswer,
      fc.boolean(),
      sizes,
      (text, isHead, sizes) => {
        const seen = { head: '', body: '', carried: 0, isOver: false }
        const sink = {
          head: ({ status, fields }: { status: number; fields: readonly string[] }) => {
            seen.head = `${status} ${fields.length / 2}`
            return true
          },
          body: (part: Buffer, carried: number) => {
            seen.body += part.toString('latin1')
            seen.carried += carried
          },
          end: () => {
            seen.isOver = true
          },
        }
        const reader = new answers.AnswerReader(sink, isHead)
        const bytes = Buffer.from(text, 'latin1')
        let at = 0
        try {
          for (const size of [...sizes, bytes.length]) {
            if (!seen.isOver) reader.push(bytes.subarray(at, at + size)) // what is behind it belongs to no answer
            at = Math.min(bytes.length, at + size)
          }
        } catch (error) {
          return error instanceof errors.WireError && readAnswer(text, isHead) === null
        }
        return JSON.stringify(seen) === JSON.stringify(readAnswer(text, isHead))
      },
    ),
    'base64 is the same in any parts': fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(fc.nat(9), { maxLength: 20 }),
      fc.nat(90),
      (payload, sizes, wrongAt) => {
        const text = `1${Buffer.from(payload).toString('base64')}`
        const isWrong = wrongAt > 0 && wrongAt < text.length
        const sent = Buffer.from(isWrong ? `${text.slice(0, wrongAt)}!${text.slice(wrongAt + 1)}` : text)
        const parts: Buffer[] = []
        const reader = new channels.ChannelMessages(
          { data: (_, part) => void parts.push(Buffer.from(part)), closed: () => {} },
          { isBase64: true, hasClose: false },
        )
        try {
          reader.begin(true)
          let at = 0
          for (const size of [...sizes, sent.length]) {
            reader.data(sent.subarray(at, at + size))
            at = Math.min(sent.length, at + size)
          }
          reader.end()
          return !isWrong && Buffer.concat(parts).equals(payload)
        } catch (error) {
          return isWrong && error instanceof errors.WireError
        }
      },
    ),
  }

  /** What is here has been told after each part: nothing is gathered that could be told. */
  function isAsRead(
    bytes: Buffer,
    sizes: readonly number[],
    scan: (part: Buffer) => void,
    seen: readonly string[],
    expected: { readonly found: readonly string[]; readonly isWrong: boolean },
  ): boolean {
    let at = 0
    try {
      for (const size of [...sizes, bytes.length]) {
        scan(bytes.subarray(at, at + size))
        at = Math.min(bytes.length, at + size)
      }
      return !expected.isWrong && JSON.stringify(seen) === JSON.stringify(expected.found)
    } catch (error) {
      if (!(error instanceof errors.WireError)) throw error
      return expected.isWrong && JSON.stringify(seen) === JSON.stringify(expected.found)
    }
  }
}
