import type { Claim, Identity as Identified, TokenKeys } from '../../proxy/doorman.ts'
import type { ClientOrigin } from '../../proxy/session.ts'
import type { Credential } from './admission.ts'
import type { Login, Principal, ReadStanding } from './principal.ts'

/** @param problem why there is none that can be used, in words that its owner may read */
export type LoginName = { readonly name: string } | { readonly problem: string; readonly hint: string }

/** The interface of identity for the other parts. Built by `createIdentity` (create-identity.ts). */
export interface IdentityService {
  /**
   * Who sends this HTTP request or opens this websocket? Null without valid credentials.
   * @param bearer the value after `Bearer `, a CLI login token or an API token
   * @throws BrokerError ADDRESS_REFUSED, PRINCIPAL_LOCKED, PRINCIPAL_INACTIVE for an API token whose secret is right
   */
  authenticate(shown: {
    cookie?: string | undefined
    bearer?: string | undefined
    address: string
  }): Promise<Login | null>
  /** Fresh from the store; undefined when unknown. */
  principal(id: string): Promise<Principal | undefined>
  /** What a person signs in to targets as, where a level has a database user or the like for each. */
  loginName(id: string): Promise<LoginName>
  /** Claims of a person's last ID token that session tags are made of, by name: those that `oidc.tag_claims` lists now. */
  tagClaims(id: string): Promise<Readonly<Record<string, string>>>
  /** By id, verified e-mail, or name; an ambiguous name throws RESOURCE_AMBIGUOUS, an unknown one NOT_FOUND. */
  findPrincipal(reference: string): Promise<Principal>
  /**
   * A login or token as it is now, read from the store; undefined when it may no longer be used.
   * @param read for a caller that reads its principal in the same moment anyway
   */
  credential(reference: Identified['credential'], read?: ReadStanding): Promise<Credential | undefined>
  tokenKeys(tokenId: string): Promise<TokenKeys>
  /** For protocol listeners. @throws BrokerError TOKEN_INVALID, ADDRESS_REFUSED, PRINCIPAL_LOCKED, PRINCIPAL_INACTIVE */
  identify(claim: Claim, client: ClientOrigin): Promise<Identified>
  /** For one daemon of the store: expired logins, tokens and secrets. Called by the daemon's timer. */
  sweep(): Promise<void>
}
