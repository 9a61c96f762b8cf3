import { useState } from 'react'
import { nameOf, placeOf, shortId } from '../data/names.ts'
import { visible } from '../words/en.ts'
import { screenWords } from '../words/screens.ts'

const kindLetters: Readonly<Record<string, string>> = {
  'rds-postgres': 'pg',
  'rds-mysql': 'my',
  'iam-role': 'iam',
  'ec2-instance': 'ec2',
  'eks-cluster': 'eks',
  'permission-set': 'set',
  'identity-center-group': 'grp',
  account: 'acc',
  'organizational-unit': 'ou',
}

export function KindBadge({ kind }: { readonly kind: string }) {
  return (
    <abbr className="kind" title={kind}>
      {kindLetters[kind] ?? kind}
    </abbr>
  )
}

export function Level({ level }: { readonly level: string }) {
  return <span className="level">{visible(level)}</span>
}

export type Tone = 'good' | 'wait' | 'bad' | 'over' | 'alarm'

/** A dot and a word: nothing is told by colour alone. */
export function State({ tone, text }: { readonly tone: Tone; readonly text: string }) {
  return <span className={`state ${tone}`}>{text}</span>
}

interface ResourceNameProps {
  readonly id: string
  readonly kind: string
  readonly tags?: Readonly<Record<string, string>>
}

/** Kind, name and where it is; the whole id is on hover. */
export function ResourceName({ id, kind, tags = {} }: ResourceNameProps) {
  const title = tags.Name
  return (
    <span className="resource" title={id}>
      <KindBadge kind={kind} /> <span className="name">{visible(title ?? nameOf(id))}</span>
      {title !== undefined && title !== nameOf(id) && <code className="muted">{visible(nameOf(id))}</code>}
      {tags.env !== undefined && <span className={tags.env === 'prod' ? 'env prod' : 'env'}>{visible(tags.env)}</span>}
      <span className="place muted">{placeOf(id)}</span>
    </span>
  )
}

/** Short; a click copies all of it. */
export function Id({ id }: { readonly id: string }) {
  const [isCopied, setCopied] = useState(false)
  return (
    <button
      type="button"
      className="id"
      title={`${id}\n${screenWords.copyId}`}
      onClick={() => void navigator.clipboard.writeText(id).then(() => setCopied(true))}
    >
      <code>{shortId(id)}</code>
      {isCopied && <span role="status"> {screenWords.copiedId}</span>}
    </button>
  )
}

/** Tags are text of other people, and no links. */
export function Tags({ tags }: { readonly tags: Readonly<Record<string, string>> }) {
  const pairs = Object.entries(tags)
  if (pairs.length === 0) return <span className="muted">–</span>
  return (
    <span className="tags">
      {pairs.map(([key, value]) => (
        <code key={key}>{visible(`${key}=${value}`)}</code>
      ))}
    </span>
  )
}
