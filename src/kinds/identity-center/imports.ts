import type { Kind } from '../../catalog/kind.ts'

/** Of what is found in Identity Center. */
export const identityCenterImports: NonNullable<Kind['imports']> = ({ identityCenter }, isWritten) =>
  identityCenter !== undefined && (identityCenter.import !== 'manual' || isWritten)
