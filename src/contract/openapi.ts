import type { RouteContract } from './route-contract.ts'

export const openapiRoutes = {
  'GET /api/v1/openapi.json': {
    summary: 'This API as an OpenAPI document',
    access: 'public',
    hidden: true,
    answer: { 200: 'openapi' },
  },
} as const satisfies Record<string, RouteContract>
