/** A standard queue of SQS. */
export interface Queue {
  name: string
  account: string
  region: string
  visibilitySeconds: number
  /** Null: messages come again until they are too old. */
  deadLetters: { arn: string; mostReceives: number } | null
  messages: QueuedMessage[]
}

export interface QueuedMessage {
  id: string
  body: string
  /** Epoch milliseconds. */
  sentAt: number
  visibleAt: number
  receives: number
  /** One for each receiving; the last counts. */
  handles: string[]
}
