import { Type } from 'typebox'
import type { RouteContract } from './route-contract.ts'
import { idOf, object } from './schema.ts'

/** The page's own addresses (src/ui/routes.ts), and the files that it is made of. Any other address is none of the page. */
export const uiRoutes = {
  'GET /terminal/:grant': {
    summary: 'A shell on an instance in the browser, by one of the caller’s grants',
    access: 'public',
    hidden: true,
    params: object({ grant: idOf('grt') }),
    answer: { 200: 'html', 303: 'redirect' },
  },
  'GET /assets/*': {
    summary: 'Files of the page, by names that change with their content',
    access: 'public',
    hidden: true,
    params: object({ '*': Type.String({ maxLength: 200 }) }),
    answer: { 200: 'asset' },
  },
} as const satisfies Record<string, RouteContract>
