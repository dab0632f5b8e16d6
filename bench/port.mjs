/** A port for a peer that has no socket file: one address, one port. From the range that the system gives to nobody by itself. */
export function portOf(address) {
  let hash = 0;
  for (const character of address) hash = (hash * 31 + character.charCodeAt(0)) % 10_000;
  return 20_000 + hash;
}
