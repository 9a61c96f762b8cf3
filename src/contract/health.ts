import type { RouteContract } from './route-contract.ts'
import { list, object, oneOf, text } from './schema.ts'

const Alive = object({ status: oneOf(['ok']) })
const Readiness = object({
  status: oneOf(['ready', 'unready']),
  problems: list(text(), 'Why it takes no new sessions'),
})

export const healthRoutes = {
  'GET /healthz': { summary: 'Whether the process answers', access: 'public', answer: { 200: Alive } },
  'GET /readyz': {
    summary: 'Whether new sessions can be opened',
    access: 'public',
    answer: { 200: Readiness, 503: Readiness },
  },
} as const satisfies Record<string, RouteContract>
