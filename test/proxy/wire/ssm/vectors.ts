import { readFileSync } from 'node:fs'

export interface Frame {
  readonly name: string
  readonly hex: string
  /** `valid`, or why the references refuse it. */
  readonly expect: string
  readonly fields: {
    readonly messageType: string
    readonly createdDate: number
    readonly sequenceNumber: number
    readonly flags: number
    readonly messageId: string
    readonly payloadType: number
    readonly payloadHex: string
  }
  readonly extra: Readonly<Partial<Record<string, string>>>
  /** Its data is left out. */
  readonly hexIsHeaderOnly?: boolean
}

interface Vectors {
  readonly frames: readonly (Omit<Frame, 'extra'> & { readonly extra?: Frame['extra'] })[]
  readonly openDataChannelTextFrame: string
  readonly rto: readonly { readonly rttMs: number | null; readonly rtoMs: number; readonly srttMs: number }[]
  readonly versionGates: readonly {
    readonly agentVersion: string
    readonly terminateSessionFlag: boolean
    readonly tcpMux: boolean
    readonly smuxKeepAliveDisabled: boolean
  }[]
}

const file = new URL('../../../fixtures/ssm-vectors.json', import.meta.url)

export const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors

export const frames: readonly Frame[] = vectors.frames.map((frame) => ({ ...frame, extra: frame.extra ?? {} }))

export function vector(name: string): Frame {
  const frame = frames.find((one) => one.name === name)
  if (!frame) throw new Error(`there is no vector ${name}`)
  return frame
}
