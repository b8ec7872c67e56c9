%% A gen_server with a number: what the rows `call`, `spawn_idle` and `idle` start.
-module(bench_server).
-behaviour(gen_server).
-export([start_link/1, init/1, handle_call/3, handle_cast/2]).

start_link(How) -> gen_server:start_link(?MODULE, How, []).

init(run) -> {ok, 0};
init(hibernate) -> {ok, 0, hibernate}.

handle_call({add, By}, _From, Value) -> {reply, Value + By, Value + By}.

handle_cast(_, Value) -> {noreply, Value}.
