import type { Place } from './place.ts'
import type { RiskFact } from './risk.ts'

/** A named thing one may be granted. */
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
  /** What only resources of its kind have; the kind reads it. */
  readonly attributes: Readonly<Record<string, unknown>>
  /** Where it was first said that it is there; what is written by hand as well is of the configuration. */
  readonly source: 'config' | 'discovery'
  /** What was found about it in AWS; left out: nothing. */
  readonly risk?: readonly RiskFact[]
}

/** A resource in the catalog, with the attributes as its kind parsed them. */
export interface CatalogEntry extends Resource {
  readonly target: unknown
  /** {@link import('./kind.ts').Kind.targetId} of it. */
  readonly targetId: string
  /** Of its account in the organization, or its own. Left out: nothing is known of it, and no selector by it matches. */
  readonly place?: Place
  /** Why no rule gives access to it, in words; left out: rules may. */
  readonly ungrantable?: string
}

/** A resource as written in the configuration; every other member is an attribute of its kind. */
export interface ResourceFile {
  readonly id: string
  readonly partition?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly [attribute: string]: unknown
}
