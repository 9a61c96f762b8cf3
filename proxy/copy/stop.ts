import type { EndReason } from '../session.ts'

/** Why a copy is over, other than by an error; its message is for the client. */
export class Stop extends Error {
  readonly reason: EndReason

  constructor(reason: EndReason, text = '') {
    super(text)
    this.reason = reason
  }
}
