/**
 * The modules of a codec, or of a copy of it with a fault.
 * @param folder URL that ends in a slash
 * @param files of each module by its name in the codec, without their ending
 */
export async function loadCodec<Codec>(
  folder: string,
  files: { readonly [Name in keyof Codec]: string },
): Promise<Codec> {
  const named = Object.entries<string>(files)
  const modules = named.map(async ([name, file]) => [name, await import(new URL(`${file}.ts`, folder).href)] as const)
  return Object.fromEntries(await Promise.all(modules)) as Codec
}
