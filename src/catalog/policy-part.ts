/** Documents that every installation has, whatever its kinds; a kind may add statements to them. */
export type BaseDocument =
  | 'hubTrust'
  | 'hubPermissions'
  | 'spokeTrust'
  | 'spokePermissions'
  | 'roleTrust'
  | 'roleWebIdentityTrust'

export interface Statement {
  readonly sid: string
  readonly principal?: { readonly AWS: string } | { readonly Federated: string }
  /** Action by action, with the reason. */
  readonly actions: Readonly<Record<string, string>>
  /** Of permissions; trust policies have none. */
  readonly resources?: readonly string[]
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** A document of its own. */
export interface PolicyDocument {
  /** Name in `aws policies` and of what it becomes in templates. */
  readonly name: string
  readonly title: string
  readonly where: 'hub account' | 'each account' | 'each brokered role'
  /** Trust models of the account for which it applies. */
  readonly trust: readonly ('hub' | 'web_identity')[]
  /** For a brokered role: its name in templates, and which roles need it. */
  readonly optional?: { readonly resource: string; readonly when: string }
  readonly statements: readonly Statement[]
  /** It names what rules give access to, so that it changes with them: `aws policies` prints it, and it is in no template. */
  readonly isByRules?: true
}

/** A session document of SSM, which AWS keeps for each account and region. */
export interface SessionDocumentPart {
  /** In AWS. */
  readonly name: string
  readonly title: string
  readonly content: object
}

/** A value that differs between installations, as templates ask for it. */
export interface PolicyValue {
  readonly description: string
  readonly default: string
}

/**
 * What AWS must allow for one feature of a kind, with the reasons. Values of an installation stand in it as `{{name}}`; IAM's own
 * variables are written as IAM has them.
 */
export interface PolicyPart {
  readonly feature: string
  /** Statements for documents of every installation. */
  readonly statements?: readonly { readonly document: BaseDocument; readonly statement: Statement }[]
  readonly documents?: readonly PolicyDocument[]
  readonly sessionDocuments?: readonly SessionDocumentPart[]
  /** Values beside those that every installation has, by name. */
  readonly values?: Readonly<Record<string, PolicyValue>>
}
