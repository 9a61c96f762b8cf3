/** A named thing one may be granted, as the catalog knows it. */
export interface Resource {
  /** e.g. `rds-postgres/111122223333/eu-west-1/orders` */
  readonly id: string
  readonly kind: string
  readonly partition: string
  readonly organization: string | null
  readonly account: string | null
  readonly region: string | null
  /** Last part of the id. */
  readonly name: string
  readonly tags: Readonly<Record<string, string>>
  /** Everything else that was said of it (endpoint, port, resource_id, ca …); the kind's `parseTarget` reads it. */
  readonly attributes: Readonly<Record<string, unknown>>
  readonly source: 'config' | 'discovery'
}
