import type { Kind } from '../../catalog/kind.ts'
import { type NodeTarget, nodeSchema, readNode } from '../organization/node-target.ts'

/** A unit of the organization, which holds accounts and other units. One made anew under the same name has another id. */
export const organizationalUnit: Kind<NodeTarget> = {
  name: 'organizational-unit',
  id: 'global',
  target: {
    schema: nodeSchema,
    read: (resource) => readNode(resource, /^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$/, 'an organizational unit'),
  },
  targetId: ({ id }) => id,
  node: ({ id, title, parent }) => ({ id, title: title ?? id, parent, isAccount: false, state: null, unusable: null }),
  shown: ({ title }) => (title === null ? {} : { title }),
}
