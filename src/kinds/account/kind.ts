import type { Kind } from '../../catalog/kind.ts'
import { type NodeTarget, nodeSchema, readNode } from '../organization/node-target.ts'

/** An AWS account: there to be seen, and for rules that go by its tags and place. AWS never gives its id to another. */
export const account: Kind<NodeTarget> = {
  name: 'account',
  id: 'account-id',
  target: { schema: nodeSchema, read: (resource) => readNode(resource, /^\d{12}$/, 'an account') },
  targetId: ({ id }) => id,
  node: ({ id, title, parent, state }) => ({
    id,
    title: title ?? id,
    parent,
    isAccount: true,
    state,
    unusable: state === null || state === 'ACTIVE' ? null : `account ${id} is ${state}`,
  }),
  shown: ({ title, state }) => ({ ...(title === null ? {} : { title }), ...(state === null ? {} : { state }) }),
}
