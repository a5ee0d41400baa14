// Who can tell whose a bearer token is.
import type { UserInfo } from '#kube/apiserver/user.ts';

export interface TokenOwner {
  readonly user: UserInfo;
  /** Of those asked for, the ones that the token is for; absent: it is for whoever serves this API. */
  readonly audiences?: readonly string[] | undefined;
}

export interface TokenSource {
  /** Undefined for a token that is not one of its own. Throws TokenRefusal for one of its own that is bad. */
  authenticate(
    token: string,
    audiences: readonly string[] | undefined,
  ): Promise<TokenOwner | undefined> | TokenOwner | undefined;
}
