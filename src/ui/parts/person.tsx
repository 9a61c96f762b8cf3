import type { Named } from '../../contract/references.ts'
import { useMe } from '../data/queries.ts'
import { visible, words } from '../words/en.ts'
import { screenWords } from '../words/screens.ts'

/** A name is no proof of who it is: what the provider does not vouch for stands in quotes, with where it comes from. */
export function Person({ person: { id, name, unverified } }: { readonly person: Named }) {
  if (!unverified) return <span className="person">{visible(name)}</span>
  return (
    <span className="person" title={`${unverified.issuer}: ${unverified.subject}`}>
      “{visible(name)}” <span className="badge">{words.notVerified}</span> …{id.slice(-6)}
    </span>
  )
}

/** The same, where oneself is “you”. */
export function PersonOrYou({ person }: { readonly person: Named }) {
  return useMe()?.principal.id === person.id ? (
    <span className="person">{screenWords.you}</span>
  ) : (
    <Person person={person} />
  )
}
