import { Type } from 'typebox'
import type { RouteContract } from './route-contract.ts'
import { idOf, object } from './schema.ts'

/** The page's own addresses (src/ui/routes.ts), and the files that it is made of. Any other address is none of the page. */
const screen = (summary: string) =>
  ({ summary, access: 'public', hidden: true, answer: { 200: 'html', 303: 'redirect' } }) as const
const id = (prefix: string) => object({ id: idOf(prefix) })

export const uiRoutes = {
  'GET /catalog': screen('Resources, with a form to ask for them'),
  'GET /requests': screen('Requests: to decide, one’s own, decided'),
  'GET /requests/:id': { ...screen('One request, to be decided'), params: id('req') },
  'GET /grants': screen('Grants'),
  'GET /grants/:id': { ...screen('One grant, with how to connect by it'), params: id('grt') },
  'GET /sessions': screen('Sessions'),
  'GET /sessions/:id': { ...screen('One session'), params: id('ses') },
  'GET /audit': screen('The audit log'),
  'GET /people': screen('People and service accounts'),
  'GET /sessions/:id/watch': { ...screen('The terminal of a session while it runs'), params: id('ses') },
  'GET /recordings': screen('A search over recordings'),
  'GET /recordings/:id': { ...screen('One recording'), params: id('ses') },
  'GET /tokens': screen('API tokens, passwords of database clients, and service accounts'),
  'GET /why': screen('Why a person may or may not ask for a resource'),
  'GET /identity-center': screen('What IAM Identity Center holds for grants, and who is who there'),
  'GET /rules': screen('The rules in force'),
  'GET /setup': screen('What is read of AWS, and what is missing there'),
  'GET /terminal/:grant': {
    ...screen('A shell on an instance in the browser, by one of the caller’s grants'),
    params: object({ grant: idOf('grt') }),
  },
  'GET /assets/*': {
    summary: 'Files of the page, by names that change with their content',
    access: 'public',
    hidden: true,
    params: object({ '*': Type.String({ maxLength: 200 }) }),
    answer: { 200: 'asset' },
  },
  'GET /api/v1/live': {
    summary:
      'Tells what has changed for the caller: text messages are JSON, {"topic":"requests"|"grants"|"sessions"|"resources"|"me"}; the caller reads it again. Closed with 4401 when the login ends',
    access: 'user',
    interactive: true,
    hidden: true,
    answer: { 101: 'websocket' },
  },
} as const satisfies Record<string, RouteContract>
