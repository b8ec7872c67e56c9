%% Supervises any number of bench_servers.
-module(bench_supervisor).
-behaviour(supervisor).
-export([init/1]).

init(How) ->
    {ok, {#{strategy => simple_one_for_one},
          [#{id => server, start => {bench_server, start_link, [How]}, restart => temporary}]}}.
