import type { RouteContract } from './route-contract.ts'
import { list, object, oneOf, text } from './schema.ts'

const Alive = object({ status: oneOf(['ok']) })
const Readiness = object({
  status: oneOf(['ready', 'unready']),
  problems: list(text(), 'Why it takes no new sessions'),
  warnings: list(text(), 'What operators should see to, though it takes new sessions'),
})

/** What a daemon says about itself. */
export const healthRoutes = {
  'GET /healthz': { summary: 'Whether the process answers', access: 'public', answer: { 200: Alive } },
  'GET /readyz': {
    summary: 'Whether new sessions can be opened',
    access: 'public',
    answer: { 200: Readiness, 503: Readiness },
  },
  'GET /api/v1/openapi.json': {
    summary: 'This API as an OpenAPI document',
    access: 'public',
    hidden: true,
    answer: { 200: 'openapi' },
  },
} as const satisfies Record<string, RouteContract>
