import type { Named } from '../../contract/references.ts'
import { visible, words } from '../words/en.ts'

/** A name is no proof of who it is: what the provider does not vouch for stands in quotes, with where it comes from. */
export function Person({ person: { id, name, unverified } }: { readonly person: Named }) {
  if (!unverified) return <span className="person">{visible(name)}</span>
  return (
    <span className="person" title={`${unverified.issuer}: ${unverified.subject}`}>
      “{visible(name)}” <span className="badge">{words.notVerified}</span> …{id.slice(-6)}
    </span>
  )
}
