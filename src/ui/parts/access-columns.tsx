import { Link } from '@tanstack/react-router'
import type { Named } from '../../contract/references.ts'
import type { Column } from './data-list.tsx'
import { Level, ResourceName } from './marks.tsx'
import { PersonOrYou } from './person.tsx'

interface Accessed {
  readonly id: string
  readonly resourceId: string
  readonly kind: string
  readonly level: string
}

interface AccessColumnsParts<T> {
  /** Of one of them. */
  readonly to: '/requests/$id' | '/grants/$id'
  readonly heads: Readonly<Record<'who' | 'what' | 'level', string>>
  personOf(item: T): Named
}

/** The first columns of lists of access: who, to what, and how much. The first one opens the row. */
export function accessColumns<T extends Accessed>({ to, heads, personOf }: AccessColumnsParts<T>): Column<T>[] {
  return [
    {
      name: 'who',
      head: heads.who,
      width: 'minmax(0, 2fr)',
      cell: (item) => (
        <Link to={to} params={{ id: item.id }} className="open">
          <PersonOrYou person={personOf(item)} />
        </Link>
      ),
    },
    {
      name: 'what',
      head: heads.what,
      width: 'minmax(0, 4fr)',
      cell: ({ resourceId, kind }) => <ResourceName id={resourceId} kind={kind} />,
    },
    { name: 'level', head: heads.level, width: 'minmax(0, 1fr)', cell: ({ level }) => <Level level={level} /> },
  ]
}
